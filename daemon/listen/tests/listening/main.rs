//! Real sockets on loopback, from both ends.

mod activation;
mod places;
mod support;
mod tls;
