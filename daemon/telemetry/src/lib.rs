//! What happened, in a closed schema without content.
