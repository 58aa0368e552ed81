//! What the tests from end to end share: the programs, a device and its daemon, those who ask it,
//! the microphone without a sound card, and those who read along. Modules are taken in by their
//! names, so that a test says `crate::curl`.

#[path = "../../../daemon/endpoint/tests/house/authenticator.rs"]
pub(crate) mod authenticator;
pub(crate) mod client;
pub(crate) mod collector;
pub(crate) mod curl;
pub(crate) mod device;
pub(crate) mod earnestd;
pub(crate) mod house;
pub(crate) mod person;
pub(crate) mod processes;
pub(crate) mod reader;
pub(crate) mod server;
#[path = "../trust/sides.rs"]
pub(crate) mod sides;
pub(crate) mod wait;
pub(crate) mod words;
