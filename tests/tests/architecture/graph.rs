//! Who imports whom, as the manifests say it.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

/// A crate's place: the height of its layer, and its name.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Layer(pub(crate) u8, pub(crate) &'static str);

/// A foreign family of crates, and the crates of ours that may name it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Foreign(pub(crate) &'static str, pub(crate) &'static [&'static str]);

/// A crate of the workspace.
#[derive(Debug, Clone)]
pub(crate) struct Member {
    /// The name of its package.
    pub(crate) name: String,
    /// Its `Cargo.toml`.
    pub(crate) manifest: PathBuf,
    /// What it names as a dependency.
    pub(crate) dependencies: Vec<Dependency>,
}

/// A dependency as declared, whatever the platform or feature it is for.
#[derive(Debug, Clone)]
pub(crate) struct Dependency {
    /// The name of the package, not what it may be renamed to.
    pub(crate) name: String,
    /// Whether only the tests and benches of the crate see it.
    pub(crate) development: bool,
}

/// Reads the members of the workspace at `root`. It asks cargo, with no need of a network:
/// declared dependencies are what counts here, not what they resolve to.
pub(crate) fn read(root: &Path) -> Vec<Member> {
    let output = Command::new(env!("CARGO"))
        .args([
            "metadata",
            "--format-version",
            "1",
            "--no-deps",
            "--offline",
        ])
        .current_dir(root)
        .output()
        .expect("cargo runs, because it started this test");
    assert!(
        output.status.success(),
        "cargo metadata: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    let metadata: Value = serde_json::from_slice(&output.stdout).expect("cargo writes JSON");
    let members: Vec<Member> = list(&metadata["packages"]).iter().map(member).collect();
    assert!(!members.is_empty(), "cargo metadata names no packages");
    members
}

fn member(package: &Value) -> Member {
    Member {
        name: text(&package["name"]),
        manifest: PathBuf::from(text(&package["manifest_path"])),
        dependencies: list(&package["dependencies"])
            .iter()
            .map(|dependency| Dependency {
                name: text(&dependency["name"]),
                development: dependency["kind"] == "dev",
            })
            .collect(),
    }
}

fn list(value: &Value) -> &[Value] {
    value.as_array().expect("cargo metadata has a list here")
}

fn text(value: &Value) -> String {
    value
        .as_str()
        .expect("cargo metadata has a string here")
        .to_owned()
}

/// Crates without a layer, layers without a crate, and imports that do not go down.
pub(crate) fn check_layers(layers: &[Layer], members: &[Member]) -> Vec<String> {
    let height = |name: &str| {
        layers
            .iter()
            .find(|layer| layer.1 == name)
            .map(|layer| layer.0)
    };
    let mut findings = Vec::new();
    for Layer(_, name) in layers {
        if !members.iter().any(|member| member.name == *name) {
            findings.push(format!("{name} has a layer and is not in the workspace"));
        }
    }
    for member in members {
        let Some(own) = height(&member.name) else {
            findings.push(format!("{} has no layer", member.name));
            continue;
        };
        for dependency in member.dependencies.iter().filter(|one| !one.development) {
            if height(&dependency.name).is_some_and(|other| other >= own) {
                findings.push(format!(
                    "{} [{own}] imports {}, which is no lower",
                    member.name, dependency.name
                ));
            }
        }
    }
    findings
}

/// Crates that name a foreign API and do not own it, tests and build scripts included.
pub(crate) fn check_owners(foreign: &[Foreign], members: &[Member]) -> Vec<String> {
    let mut findings = Vec::new();
    for member in members {
        for dependency in &member.dependencies {
            for Foreign(family, owners) in foreign {
                let is_of_family = dependency
                    .name
                    .strip_prefix(family)
                    .is_some_and(|rest| rest.is_empty() || rest.starts_with('-'));
                if is_of_family && !owners.contains(&member.name.as_str()) {
                    findings.push(format!(
                        "{} names {}, which belongs to {}",
                        member.name,
                        dependency.name,
                        owners.join(" and ")
                    ));
                }
            }
        }
    }
    findings
}

/// Crates of the workspace that `name` imports beside the allowed ones.
pub(crate) fn check_light(name: &str, allowed: &[&str], members: &[Member]) -> Vec<String> {
    let Some(light) = members.iter().find(|member| member.name == name) else {
        return vec![format!("{name} is not in the workspace")];
    };
    light
        .dependencies
        .iter()
        .filter(|dependency| members.iter().any(|member| member.name == dependency.name))
        .filter(|dependency| !allowed.contains(&dependency.name.as_str()))
        .map(|dependency| format!("{name} imports {}", dependency.name))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const LAYERS: &[Layer] = &[Layer(1, "low"), Layer(1, "beside"), Layer(2, "high")];

    fn crate_named(name: &str, imports: &[&str]) -> Member {
        Member {
            name: name.to_owned(),
            manifest: PathBuf::new(),
            dependencies: imports
                .iter()
                .map(|import| Dependency {
                    name: import.trim_start_matches("dev:").to_owned(),
                    development: import.starts_with("dev:"),
                })
                .collect(),
        }
    }

    /// A workspace of the three crates above, `low` with these imports.
    fn with_low(imports: &[&str]) -> Vec<Member> {
        vec![
            crate_named("low", imports),
            crate_named("beside", &[]),
            crate_named("high", &["low", "beside", "serde"]),
        ]
    }

    fn check(findings: &[String], expected: &[&str]) {
        assert_eq!(findings, expected);
    }

    #[test]
    fn imports_that_go_down_pass() {
        check(&check_layers(LAYERS, &with_low(&["serde"])), &[]);
    }

    #[test]
    fn an_import_that_goes_up_is_found() {
        check(
            &check_layers(LAYERS, &with_low(&["high"])),
            &["low [1] imports high, which is no lower"],
        );
    }

    #[test]
    fn an_import_within_a_layer_is_found() {
        check(
            &check_layers(LAYERS, &with_low(&["beside"])),
            &["low [1] imports beside, which is no lower"],
        );
    }

    #[test]
    fn tests_may_look_up() {
        check(&check_layers(LAYERS, &with_low(&["dev:high"])), &[]);
    }

    #[test]
    fn a_crate_without_a_layer_is_found() {
        let mut members = with_low(&[]);
        members.push(crate_named("stranger", &[]));
        check(&check_layers(LAYERS, &members), &["stranger has no layer"]);
    }

    #[test]
    fn a_layer_without_a_crate_is_found() {
        let members = &with_low(&[])[..2];
        check(
            &check_layers(LAYERS, members),
            &["high has a layer and is not in the workspace"],
        );
    }

    #[test]
    fn a_foreign_api_outside_its_owner_is_found() {
        let foreign = &[Foreign("tract", &["high"])];
        for import in ["tract", "tract-onnx", "dev:tract-core"] {
            let findings = check_owners(foreign, &with_low(&[import]));
            assert_eq!(findings.len(), 1, "{import}");
            assert!(findings[0].ends_with("belongs to high"), "{findings:?}");
        }
        check(&check_owners(foreign, &with_low(&["traction"])), &[]);
        check(
            &check_owners(&[Foreign("tract", &["low"])], &with_low(&["tract-onnx"])),
            &[],
        );
    }

    #[test]
    fn a_heavy_import_is_found() {
        let members = with_low(&[]);
        check(&check_light("high", &["low", "beside"], &members), &[]);
        check(
            &check_light("high", &["low"], &members),
            &["high imports beside"],
        );
        check(
            &check_light("absent", &[], &members),
            &["absent is not in the workspace"],
        );
    }
}
