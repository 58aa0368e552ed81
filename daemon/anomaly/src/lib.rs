//! What is unusual for each application, and what is done about it.
