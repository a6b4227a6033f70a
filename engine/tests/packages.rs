//! How many packages the store brings along.

use std::process::Command;

fn packages(features: &[&str]) -> Vec<String> {
    let tree = ["tree", "--package", "stormproof", "--edges", "normal", "--prefix", "none", "--offline"];
    let output = Command::new(env!("CARGO"))
        .args(tree)
        .args(features)
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .expect("cargo runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).expect("cargo writes text");
    let name = |line: &str| line.split_whitespace().take(2).collect::<Vec<_>>().join(" ");
    let mut packages: Vec<_> = text.lines().filter(|line| !line.is_empty()).map(name).collect();
    packages.sort();
    packages.dedup();
    packages
}

#[test]
fn without_optional_features_there_are_at_most_25_packages() {
    let packages = packages(&["--no-default-features"]);
    assert!(packages.len() <= 25, "{} packages: {}", packages.len(), packages.join(", "));
}

#[test]
fn every_optional_package_belongs_to_a_feature() {
    let all = packages(&["--no-default-features"]);
    for package in ["futures-core ", "metrics ", "serde ", "sha2 ", "tracing "] {
        assert!(!all.iter().any(|name| name.starts_with(package)), "{package}is not optional");
        assert!(packages(&[]).iter().any(|name| name.starts_with(package)), "{package}is no default");
    }
}
