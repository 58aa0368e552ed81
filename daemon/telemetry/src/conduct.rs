//! The words for who may do what, and for what was made of it.

use crate::words::words;

words! {
    /// What may be asked for, by name. `earnest-policy` has the same as types.
    pub enum Scope {
        /// Sound in, the times of speech out.
        Vad = "vad",
        /// Sound in, out the phrase of a list that it is.
        Command = "command",
        /// Sound in, text out.
        Transcribe = "transcribe",
        /// The microphone's text.
        Listen = "listen",
        /// Seeing how the device fares.
        See = "see",
        /// Changing who may do what, and the device's keys.
        Operate = "operate",
        /// Reading the audit log.
        Audit = "audit",
    }
}

words! {
    /// The way that somebody came in.
    pub enum Door {
        /// The Unix socket.
        Unix = "unix",
        /// A loopback port that speaks TLS.
        Tls = "tls",
        /// A loopback port that speaks clear text.
        Clear = "clear",
        /// A place where Wyoming is spoken: a Unix socket, or a loopback port whose peers are
        /// known by their user alone.
        Wyoming = "wyoming",
    }
}

words! {
    /// What became of a second factor.
    pub enum FactorOutcome {
        /// A person has one from now on.
        Enrolled = "enrolled",
        /// The code was right.
        Passed = "passed",
        /// The code was wrong.
        Refused = "refused",
        /// The code was right and had been used.
        Replayed = "replayed",
        /// Too many were wrong, so none is looked at for a while.
        Locked = "locked",
    }
}

words! {
    /// What an operator or an auditor did.
    pub enum Action {
        /// Asked for a second factor.
        Enrol = "enrol",
        /// Registered an application.
        AddApp = "add_app",
        /// Changed an application's entry.
        ChangeApp = "change_app",
        /// Took an application off.
        RevokeApp = "revoke_app",
        /// Had a certificate made for an application.
        CertifyApp = "certify_app",
        /// Wrote a list of commands.
        PutCommands = "put_commands",
        /// Removed a list of commands.
        RemoveCommands = "remove_commands",
        /// Looked at who may do what.
        ReviewAccess = "review_access",
        /// Replaced keys.
        RotateKeys = "rotate_keys",
        /// Let the microphone be opened again.
        UnmuteMicrophone = "unmute_microphone",
        /// Let go of somebody who was throttled or shut out.
        Release = "release",
        /// Had a link made for the browser.
        LinkBrowser = "link_browser",
        /// Read the audit log.
        ReadAudit = "read_audit",
        /// Had the audit log verified.
        VerifyAudit = "verify_audit",
        /// Had the audit log written out for another system.
        ExportAudit = "export_audit",
        /// Had the counts of the transparency report made.
        Report = "report",
    }
}

words! {
    /// A part of a browser's session.
    pub enum SessionPart {
        /// Its link was followed.
        Begun = "begun",
        /// It ran out, or was ended.
        Ended = "ended",
    }
}

words! {
    /// Keys that are replaced together.
    pub enum KeyKind {
        /// What signs tokens.
        Tokens = "tokens",
        /// What the audit log is encrypted to.
        Audit = "audit",
        /// What applications' names are hidden with.
        Pseudonyms = "pseudonyms",
        /// What the daemon's state is encrypted with.
        State = "state",
        /// The listeners' certificate.
        Tls = "tls",
    }
}

words! {
    /// What is unusual about somebody's requests.
    pub enum AlertKind {
        /// There are more of them.
        Rate = "rate",
        /// They come in other bursts.
        Burst = "burst",
        /// They come at other hours.
        Hours = "hours",
        /// They are longer or shorter.
        Duration = "duration",
        /// They are silent to another share.
        Silence = "silence",
        /// They bring the same sound again, or nearly.
        Repeats = "repeats",
        /// The model is less certain of them.
        LowCertainty = "low_certainty",
        /// More of them are refused.
        Refusals = "refusals",
        /// Credentials are tried.
        Guessing = "guessing",
        /// It is tried out what may be done.
        Probing = "probing",
        /// The model is asked systematically.
        Extraction = "extraction",
        /// They stay just below what is granted, without end.
        SlowDrain = "slow_drain",
    }
}

words! {
    /// What is done about it.
    pub enum AlertLevel {
        /// It is told.
        Alert = "alert",
        /// Fewer requests are granted.
        Throttle = "throttle",
        /// None are, until an operator releases it.
        Quarantine = "quarantine",
    }
}
