//! Bounds on what a request may bring and how long it may take.

use std::time::Duration;

/// Bounds on requests. The default is what the example configuration says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Most bytes of an uploaded file. OpenAI takes 25 MiB.
    pub file_bytes: u64,
    /// Most bytes of all files that are held in memory at once, because their form did not say
    /// first what is wanted of them. At the bound, a request is told to come back.
    pub held_bytes: u64,
    /// Most bytes of sound of one stream.
    pub stream_bytes: u64,
    /// Longest time in the middle of a request or an answer in which a caller sends nothing that
    /// is waited for, or takes nothing that is sent.
    pub body_idle: Duration,
    /// Longest time from the head of a form to its answer.
    pub request_time: Duration,
    /// Longest time that a head may take, and that a connection may rest between two requests.
    pub head_time: Duration,
    /// Most connections of one user to all listeners together, so that whoever opens many and
    /// says nothing shuts nobody else out.
    pub connections_of_one: usize,
    /// Longest time that requests may take to end once the daemon is told to.
    pub drain_time: Duration,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            file_bytes: 25 << 20,
            // Four workers' worth of the largest files.
            held_bytes: 100 << 20,
            // A day and a half of 16-bit sound at 16 kHz.
            stream_bytes: 4 << 30,
            body_idle: Duration::from_secs(30),
            // The largest file of compressed speech is some hours long, and is read at thirty
            // times its pace.
            request_time: Duration::from_secs(20 * 60),
            head_time: Duration::from_secs(10),
            // A third of the connections that a listener takes by default.
            connections_of_one: 20,
            drain_time: Duration::from_secs(10),
        }
    }
}

/// Most bytes of a field that is not a file: prompts are the longest.
pub(crate) const FIELD_BYTES: u64 = 64 << 10;

/// Most parts of a form. OpenAI's has 14 fields, some of them lists.
pub(crate) const FORM_PARTS: usize = 64;

/// Most bytes of a form beside its file: fields, their heads, and what stands between them.
pub(crate) const FORM_OVERHEAD: u64 = 1 << 20;

/// Most bytes of a JSON body: a request for a certificate, or an application with all its users.
pub(crate) const JSON_BYTES: usize = 16 << 10;

/// Most bytes of a command list: 64 phrases of 200 bytes with ids of 64, all of them escaped.
pub(crate) const COMMANDS_BYTES: usize = 128 << 10;

/// Most bytes of a head. hyper's own buffer begins with 8 KiB; a token and what browsers send
/// stay below that.
pub(crate) const HEAD_BYTES: usize = 32 << 10;

/// Most headers of a request.
pub(crate) const HEADERS: usize = 64;

/// Most bytes that are read and dropped of a request that was refused, so that its sender, who
/// writes before it reads, sees why.
pub(crate) const REFUSED_BYTES: u64 = 32 << 20;

/// Longest time for that.
pub(crate) const REFUSED_TIME: Duration = Duration::from_secs(5);

/// Longest time for that where the request does not say how long it is: it may be a microphone,
/// which never ends, and whose program waits for the answer.
pub(crate) const REFUSED_LIVE_TIME: Duration = Duration::from_millis(250);
