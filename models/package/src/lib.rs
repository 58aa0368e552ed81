//! Model cards and packages: nothing is loaded whose digest differs.
