//! The only owner of HTTP.
