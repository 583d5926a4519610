use super::*;
use crate::EngineKind;

fn config() -> EngineConfig {
    EngineConfig::new("model.gguf", EngineKind::Generate)
}

fn device(kind: DeviceKind, id: &str) -> Device {
    Device {
        name: id.to_uppercase(),
        description: String::new(),
        id: id.into(),
        kind,
        memory_free_bytes: 1000,
        memory_total_bytes: 2000,
        layers: 0,
        memory_used_bytes: 0,
    }
}

fn machine(kinds: &[DeviceKind]) -> Vec<Device> {
    let named = |(index, kind): (usize, &DeviceKind)| device(*kind, &format!("pci{index}"));
    kinds.iter().enumerate().map(named).collect()
}

fn refusal(config: &EngineConfig, kinds: &[DeviceKind]) -> String {
    gpus(config, &machine(kinds)).expect_err("it is refused").to_string()
}

use DeviceKind::{Gpu, IntegratedGpu, Processor, SoftwareGpu};

#[test]
fn a_main_gpu_that_is_not_there_is_refused() {
    let config = EngineConfig { main_gpu: 2, ..config() };
    assert_eq!(
        refusal(&config, &[Gpu, Gpu, Processor]),
        "main_gpu is 2; it counts from 0 and 2 GPUs were found"
    );
    assert!(refusal(&config, &[Processor]).ends_with("no GPU was found"));
}

#[test]
fn a_split_that_is_not_the_machines_is_refused() {
    let split = |tensor_split: &[f32]| {
        let config = EngineConfig { tensor_split: tensor_split.to_vec(), ..config() };
        refusal(&config, &[Gpu, Gpu, Processor])
    };
    assert!(split(&[1.0]).starts_with("tensor_split holds 1 shares"), "{}", split(&[1.0]));
    for shares in [[0.0, 0.0], [-1.0, 2.0], [f32::NAN, 1.0]] {
        assert!(split(&shares).starts_with("tensor_split must hold"), "{}", split(&shares));
    }
}

#[test]
fn layers_for_a_gpu_that_is_not_there_are_refused() {
    let asks = EngineConfig { gpu_layers: Some(99), ..config() };
    assert!(refusal(&asks, &[Processor]).starts_with("gpu_layers is 99, but no GPU was found"));
    let content = EngineConfig { gpu_partial: true, ..asks };
    assert_eq!(gpus(&content, &machine(&[Processor])).expect("none fits too"), [0; 0]);
}

#[test]
fn a_software_gpu_is_taken_only_when_asked_for() {
    let devices = machine(&[SoftwareGpu, Processor]);
    assert_eq!(gpus(&config(), &devices).expect("fine"), [0; 0]);
    let asks = EngineConfig { gpu_layers: Some(1), ..config() };
    assert_eq!(gpus(&asks, &devices).expect("fine"), [0]);
}

#[test]
fn the_better_kind_of_gpu_is_taken() {
    let devices = machine(&[SoftwareGpu, IntegratedGpu, Gpu, Gpu, Processor]);
    let asks = EngineConfig { gpu_layers: Some(1), ..config() };
    assert_eq!(gpus(&asks, &devices).expect("fine"), [2, 3]);
    assert_eq!(gpus(&config(), &devices[..2]).expect("fine"), [1]);
    let none = EngineConfig { gpu_layers: Some(0), ..config() };
    assert_eq!(gpus(&none, &devices).expect("fine"), [0; 0]);
}

#[test]
fn a_gpu_that_two_backends_show_counts_once() {
    let devices = [device(Gpu, "pci0"), device(Gpu, "pci1"), device(Gpu, "pci0")];
    assert_eq!(gpus(&config(), &devices).expect("fine"), [0, 1]);
    let nameless = [device(Gpu, ""), device(Gpu, "")];
    assert_eq!(gpus(&config(), &nameless).expect("fine"), [0, 1]);
}

/// Four layers of 100 bytes with 10 of cache, an output of 50, steps of 5.
fn needs() -> Needs {
    Needs { layers: vec![100; 4], output: 50, cache_per_layer: 10, step: 5 }
}

fn room(free_bytes: u64, share: f64) -> Room {
    Room { free_bytes: Some(free_bytes), share }
}

#[test]
fn what_does_not_fit_is_refused_with_the_numbers() {
    let shortage = fit(&needs(), &[room(300, 1.0)], u32::MAX, false).expect_err("495 bytes");
    assert_eq!(shortage.load.bytes(), 495);
    assert_eq!((shortage.gpu, shortage.free_bytes, shortage.layers_fit), (0, 300, 3));
    let load = Load { layers: 5, weights_bytes: 450, cache_bytes: 40, step_bytes: 5 };
    assert_eq!(shortage.load, load);
}

#[test]
fn as_much_as_fits_is_offloaded_when_that_is_enough() {
    let partial = |free| fit(&needs(), &[room(free, 1.0)], u32::MAX, true);
    assert_eq!(partial(494), Ok(4), "all but one layer: 385 bytes");
    assert_eq!(partial(300), Ok(3), "the output and two layers: 275 bytes");
    assert_eq!(partial(55), Ok(1), "the output alone");
    assert_eq!(partial(54), Ok(0));
    assert_eq!(partial(495), Ok(5));
}

#[test]
fn fewer_layers_may_be_asked_for() {
    let rooms = [room(u64::MAX, 1.0)];
    assert_eq!(fit(&needs(), &rooms, 2, false), Ok(2));
    let load = loads(&needs(), 2, &rooms)[0];
    assert_eq!((load.layers, load.weights_bytes, load.cache_bytes), (2, 150, 10));
    assert_eq!(loads(&needs(), 0, &rooms)[0], Load::default());
}

#[test]
fn gpus_share_as_they_are_told() {
    let rooms = [room(1000, 3.0), room(1000, 1.0), room(1000, 0.0)];
    let layers: Vec<u32> = loads(&needs(), 5, &rooms).iter().map(|load| load.layers).collect();
    assert_eq!(layers, [4, 1, 0]);
    let unused = loads(&needs(), 5, &rooms)[2];
    assert_eq!(unused.bytes(), 0, "no step runs there");
}

#[test]
fn a_device_that_does_not_say_is_believed() {
    let silent = Room { free_bytes: None, share: 1.0 };
    assert_eq!(fit(&needs(), &[silent], u32::MAX, false), Ok(5));
}

#[test]
fn one_gpu_is_one_gpu() {
    let devices = machine(&[Gpu, Gpu]);
    let config = EngineConfig { split_mode: SplitMode::None, main_gpu: 1, ..config() };
    let rooms = rooms(&config, &devices, &[0, 1]);
    let layers: Vec<u32> = loads(&needs(), 5, &rooms).iter().map(|load| load.layers).collect();
    assert_eq!(layers, [0, 5]);
}
