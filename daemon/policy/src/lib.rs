//! Who may do what: a request in, a permit or a denial out.
