//! Listeners on loopback and Unix sockets alone, TLS, and who is at the other end.
