//! Which GPUs a model uses, and how many of its layers each holds. Pure: nothing here asks a device.

use crate::{Device, DeviceKind, EngineConfig, LoadError, SplitMode};

/// Where a model's layers go.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Placement {
    /// The GPUs, by their place in ggml's list of devices. Empty: the processor computes alone, also
    /// where there are GPUs.
    pub(crate) gpus: Vec<usize>,
    /// Layers on the GPUs, the last ones of the model; the output counts as one.
    pub(crate) layers: u32,
    /// The GPU for what is not split, by its place in `gpus`.
    pub(crate) main_gpu: u32,
    /// The parts of the model on each of `gpus`.
    pub(crate) loads: Vec<Load>,
}

/// What one GPU holds of a model, by estimate.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Load {
    pub(crate) layers: u32,
    pub(crate) weights_bytes: u64,
    pub(crate) cache_bytes: u64,
    pub(crate) step_bytes: u64,
}

impl Load {
    pub(crate) fn bytes(&self) -> u64 {
        self.weights_bytes.saturating_add(self.cache_bytes).saturating_add(self.step_bytes)
    }
}

/// What a model takes on GPUs, in bytes.
#[derive(Clone, Debug, Default)]
pub(crate) struct Needs {
    /// Weights of each layer.
    pub(crate) layers: Vec<u64>,
    /// Weights of the output.
    pub(crate) output: u64,
    /// Keys and values of one layer.
    pub(crate) cache_per_layer: u64,
    /// Buffers of a step, on each GPU that computes.
    pub(crate) step: u64,
}

/// A GPU as the placement sees it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Room {
    /// Free bytes; `None`: the device does not say.
    pub(crate) free_bytes: Option<u64>,
    /// Its part of the layers, in the unit of the other GPUs'.
    pub(crate) share: f64,
}

/// A GPU that can't hold its part.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Shortage {
    /// Its place among the GPUs.
    pub(crate) gpu: usize,
    pub(crate) load: Load,
    pub(crate) free_bytes: u64,
    /// Layers that would fit all GPUs.
    pub(crate) layers_fit: u32,
}

/// The GPUs that `config` means, by their place in `devices`: those of the machine, else those on
/// its processor's chip. A software GPU is slower than the processor it runs on: only a config that
/// asks for `gpu_layers` gets it.
///
/// # Errors
/// [`LoadError::Config`]: it asks for GPUs that are not there.
pub(crate) fn gpus(config: &EngineConfig, devices: &[Device]) -> Result<Vec<usize>, LoadError> {
    let found = usable(config, devices);
    match fault(config, found.len()) {
        Some(fault) => Err(LoadError::Config(fault)),
        None if config.gpu_layers == Some(0) => Ok(vec![]),
        None => Ok(found),
    }
}

fn usable(config: &EngineConfig, devices: &[Device]) -> Vec<usize> {
    let of_kind = |kind| {
        let mut found: Vec<usize> = vec![];
        for (index, device) in devices.iter().enumerate().filter(|(_, one)| one.kind == kind) {
            // Two backends may show the same GPU.
            let known = |other: &usize| !device.id.is_empty() && devices[*other].id == device.id;
            if !found.iter().any(known) {
                found.push(index);
            }
        }
        found
    };
    let asked = config.gpu_layers.is_some_and(|layers| layers > 0);
    let kinds = [DeviceKind::Gpu, DeviceKind::IntegratedGpu, DeviceKind::SoftwareGpu];
    let kinds = kinds.into_iter().filter(|kind| asked || *kind != DeviceKind::SoftwareGpu);
    kinds.map(of_kind).find(|found| !found.is_empty()).unwrap_or_default()
}

fn fault(config: &EngineConfig, gpus: usize) -> Option<String> {
    let layers = config.gpu_layers.unwrap_or(0);
    if layers > 0 && gpus == 0 && !config.gpu_partial {
        return Some(format!(
            "gpu_layers is {layers}, but no GPU was found: run `scripts/setup --backend vulkan` or \
             `--backend cuda`, see whether `gaia-node info` shows the GPU, or leave gpu_layers out"
        ));
    }
    if config.main_gpu > 0 && config.main_gpu as usize >= gpus {
        let main = config.main_gpu;
        return Some(format!("main_gpu is {main}; it counts from 0 and {}", found(gpus)));
    }
    let shares = &config.tensor_split;
    if shares.is_empty() {
        return None;
    }
    if shares.len() != gpus {
        let count = shares.len();
        return Some(format!(
            "tensor_split holds {count} shares, one for each GPU, and {}",
            found(gpus)
        ));
    }
    let wrong = |share: &f32| !share.is_finite() || *share < 0.0;
    if shares.iter().any(wrong) || shares.iter().all(|share| *share == 0.0) {
        return Some("tensor_split must hold no negative share, and one above 0".into());
    }
    None
}

fn found(gpus: usize) -> String {
    match gpus {
        0 => "no GPU was found".into(),
        1 => "1 GPU was found".into(),
        many => format!("{many} GPUs were found"),
    }
}

/// The GPUs' room for a model: how much is free on each, and how `config` shares the model out.
pub(crate) fn rooms(config: &EngineConfig, devices: &[Device], gpus: &[usize]) -> Vec<Room> {
    let room = |(place, index): (usize, &usize)| {
        let device = &devices[*index];
        let known = device.memory_total_bytes > 0;
        let share = match config.split_mode {
            SplitMode::None => f64::from(u8::from(place == config.main_gpu as usize)),
            _ => {
                config.tensor_split.get(place).map_or_else(|| by_memory(device), |s| f64::from(*s))
            }
        };
        Room { free_bytes: known.then_some(device.memory_free_bytes), share }
    };
    gpus.iter().enumerate().map(room).collect()
}

#[expect(clippy::cast_precision_loss, reason = "a share need not be exact to the byte")]
fn by_memory(device: &Device) -> f64 {
    device.memory_free_bytes.max(1) as f64
}

/// What each GPU holds if the last `layers` of the model's layers, the output counted as one, are
/// on GPUs. Shared out as llama.cpp does.
pub(crate) fn loads(needs: &Needs, layers: u32, rooms: &[Room]) -> Vec<Load> {
    let mut loads = vec![Load::default(); rooms.len()];
    let all = needs.layers.len() + 1;
    let count = all.min(layers as usize);
    for place in 0..count {
        let load = &mut loads[gpu_of(place, count, rooms)];
        let layer = needs.layers.get(all - count + place);
        load.layers += 1;
        load.weights_bytes += layer.unwrap_or(&needs.output);
        load.cache_bytes += layer.map_or(0, |_| needs.cache_per_layer);
        load.step_bytes = needs.step;
    }
    loads
}

#[expect(clippy::cast_precision_loss, reason = "models have some hundred layers")]
fn gpu_of(place: usize, count: usize, rooms: &[Room]) -> usize {
    let all: f64 = rooms.iter().map(|room| room.share).sum();
    let reached = place as f64 / count as f64;
    let mut sum = 0.0;
    let holds = |room: &Room| {
        sum += room.share;
        sum / all > reached
    };
    rooms.iter().position(holds).unwrap_or(rooms.len() - 1)
}

/// How many layers go to the GPUs: as many as were asked for, or, if `partial`, as fit.
///
/// # Errors
/// A GPU that can't hold its part.
pub(crate) fn fit(
    needs: &Needs,
    rooms: &[Room],
    asked: u32,
    partial: bool,
) -> Result<u32, Shortage> {
    let all = u32::try_from(needs.layers.len() + 1).unwrap_or(u32::MAX);
    let asked = asked.min(all);
    let Some((gpu, load, free_bytes)) = short(needs, rooms, asked) else { return Ok(asked) };
    let layers_fit =
        (0..asked).rev().find(|layers| short(needs, rooms, *layers).is_none()).unwrap_or(0);
    if partial { Ok(layers_fit) } else { Err(Shortage { gpu, load, free_bytes, layers_fit }) }
}

/// The first GPU that can't hold its part of `layers`.
fn short(needs: &Needs, rooms: &[Room], layers: u32) -> Option<(usize, Load, u64)> {
    let loads = loads(needs, layers, rooms);
    let parts = loads.into_iter().zip(rooms).enumerate();
    parts.into_iter().find_map(|(gpu, (load, room))| {
        let free = room.free_bytes?;
        (load.bytes() > free).then_some((gpu, load, free))
    })
}

#[cfg(test)]
#[path = "placement_tests.rs"]
mod tests;
