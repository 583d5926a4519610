//! `gaia-node keys`: API keys, of which the config holds hashes alone.

use std::fmt::Write;
use std::io::Read;
use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use clap::Subcommand;
use sha2::{Digest, Sha256};

/// As hard to guess as a hash is to turn around.
const KEY_BYTES: usize = 32;

/// A key of more bytes is not a key but a mistake.
const GIVEN_BYTES_MAX: u64 = 1024;

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Make a key; it is shown once, and its hash goes into the config
    New {
        #[command(flatten)]
        owner: Owner,
    },
    /// Hash a key read from standard input
    Hash {
        #[command(flatten)]
        owner: Owner,
    },
}

#[derive(Debug, clap::Args)]
pub struct Owner {
    /// Whose it is, for the log
    #[arg(long, default_value = "me")]
    name: String,
    /// It may also load, unload, swap and remove models
    #[arg(long)]
    admin: bool,
}

/// Prints a key, its line for the config, or both.
pub fn run(command: Command) -> Result<ExitCode> {
    match command {
        Command::New { owner } => {
            let key = new_key()?;
            super::print(&format!(
                "The key, for the client; keep it, it is not shown again:\n  {key}\n\
                 Its line for [auth] in the config:\n  {}",
                line(&owner, &key)
            ))?;
        }
        Command::Hash { owner } => super::print(&line(&owner, &given_key()?))?,
    }
    Ok(ExitCode::SUCCESS)
}

fn new_key() -> Result<String> {
    let mut bytes = [0; KEY_BYTES];
    getrandom::fill(&mut bytes).context("asking the system for random numbers")?;
    Ok(format!("gaia-{}", URL_SAFE_NO_PAD.encode(bytes)))
}

fn given_key() -> Result<String> {
    let mut text = String::new();
    let mut input = std::io::stdin().take(GIVEN_BYTES_MAX);
    input.read_to_string(&mut text).context("reading the key from standard input")?;
    let key = text.trim();
    if key.is_empty() || key.chars().any(char::is_whitespace) {
        bail!("expected one key on standard input, without spaces");
    }
    Ok(key.to_owned())
}

fn line(owner: &Owner, key: &str) -> String {
    let mut hash = String::from("sha256:");
    for byte in Sha256::digest(key) {
        write!(hash, "{byte:02x}").expect("a string takes any text");
    }
    let name = toml::Value::from(owner.name.as_str());
    let admin = if owner.admin { "admin = true, " } else { "" };
    format!("keys = [{{ name = {name}, {admin}hash = \"{hash}\" }}]")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_holds_the_hash_and_not_the_key() {
        let line = line(&Owner { name: "a \"b\"".into(), admin: true }, "abc");
        let hash = "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert!(line.contains(hash) && !line.contains("\"abc\""), "{line}");
        let read: toml::Table = line.parse().expect("it is TOML");
        assert_eq!(read["keys"][0]["admin"].as_bool(), Some(true));
    }

    #[test]
    fn keys_are_long_and_never_the_same() {
        let (one, other) = (new_key().expect("random"), new_key().expect("random"));
        assert_eq!(one.len(), "gaia-".len() + 43);
        assert_ne!(one, other);
    }
}
