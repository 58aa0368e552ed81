//! Both ends of the line against written-down bytes, against each other, and against an attacker
//! who holds the line.

mod attacks;
mod golden;
mod kit;
mod properties;
