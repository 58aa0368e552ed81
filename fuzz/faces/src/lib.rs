//! What the fuzz targets do with their bytes, without a fuzzer.
//!
//! One function for each parser of hostile bytes. Each takes any bytes, returns on any, and
//! panics exactly when a promise of the parser is broken. `fuzz/fuzz_targets` hands them to
//! libFuzzer; `tests/tests/fuzz_corpora.rs` replays the committed corpora through them, on
//! the pinned compiler and without a fuzzer.
//!
//! ```
//! earnest_fuzz_faces::card(b"no card");
//! ```

mod attest;
mod audit;
mod baselines;
mod book;
mod capture;
mod card;
mod channel;
mod ear_token;
mod ek_chain;
mod enrolment;
mod envelope;
mod eventlog;
mod measured;
mod package;
mod reference;
mod request;
mod signed_policy;
mod sound;
mod token;
mod traceparent;
mod vault;
mod wire;
mod wire_to_guard;
mod wire_to_host;
mod wyoming;

pub use attest::attest;
pub use audit::audit;
pub use baselines::baselines;
pub use book::book;
pub use capture::capture;
pub use card::card;
pub use channel::channel;
pub use ear_token::ear_token;
pub use ek_chain::ek_chain;
pub use enrolment::enrolment;
pub use envelope::envelope;
pub use eventlog::eventlog;
pub use measured::measured;
pub use package::package;
pub use reference::reference;
pub use request::request;
pub use signed_policy::signed_policy;
pub use sound::sound;
pub use token::token;
pub use traceparent::traceparent;
pub use vault::vault;
pub use wire_to_guard::wire_to_guard;
pub use wire_to_host::wire_to_host;
pub use wyoming::wyoming;
