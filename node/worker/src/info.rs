//! `gaia-worker info`: what this machine can run, as JSON.

use anyhow::Result;
use gaia_inference::DeviceKind;
use serde_json::{Value, json};

/// Prints versions and devices.
///
/// # Errors
/// No backend can compute on this processor.
#[expect(clippy::print_stdout, reason = "the answer of a command")]
pub fn print() -> Result<()> {
    let machine = gaia_inference::machine(None)?;
    let devices: Vec<Value> = machine
        .devices
        .iter()
        .map(|device| {
            json!({
                "name": device.name,
                "description": device.description,
                "kind": kind(device.kind),
                "memory_free_bytes": device.memory_free_bytes,
                "memory_total_bytes": device.memory_total_bytes,
            })
        })
        .collect();
    let info = json!({
        "version": env!("CARGO_PKG_VERSION"),
        "wasmedge": gaia_runtime::wasmedge_version(),
        "llama": machine.llama_version,
        "cpu_features": machine.cpu_features,
        "cores": std::thread::available_parallelism().map_or(1, std::num::NonZero::get),
        "backends_dir": machine.backends_dir,
        "devices": devices,
    });
    println!("{info}");
    Ok(())
}

fn kind(kind: DeviceKind) -> &'static str {
    match kind {
        DeviceKind::Processor => "processor",
        DeviceKind::Gpu => "gpu",
        DeviceKind::IntegratedGpu => "integrated gpu",
        DeviceKind::SoftwareGpu => "software gpu",
        DeviceKind::Accelerator => "accelerator",
    }
}
