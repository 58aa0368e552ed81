//! Real sockets on loopback, from both ends.

mod activation;
mod clients;
mod places;
mod support;
mod tls;
