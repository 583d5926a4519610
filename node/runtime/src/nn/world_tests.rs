use super::super::fake::FakeModel;
use super::*;

fn world() -> World {
    World::new(Box::new(|name| match name {
        "default" => Resolution::Found(FakeModel::says("hi")),
        "gone" => Resolution::FileMissing,
        "broken" => Resolution::Failed,
        _ => Resolution::Unknown,
    }))
}

#[test]
fn a_wrong_name_says_what_is_wrong_with_it() {
    let mut world = world();
    assert_eq!(world.load("other", None), Err(Errno::NotFound));
    assert_eq!(world.load("gone", None), Err(Errno::ModelNotFound));
    assert_eq!(world.load("broken", None), Err(Errno::InvalidArgument));
}

#[test]
fn a_name_keeps_its_graph_and_its_first_options() {
    let mut world = world();
    assert_eq!(world.load("default", Some(b"{")), Err(Errno::InvalidEncoding));
    let graph = world.load("default", Some(br#"{"temp":0}"#)).expect("loads");
    assert_eq!(world.load("default", Some(b"not looked at")), Ok(graph));
    assert_eq!(world.load("default", None), Ok(graph));
}

#[test]
fn foreign_handles_are_invalid() {
    let mut world = world();
    assert_eq!(world.open(0), Err(Errno::InvalidArgument));
    assert!(matches!(world.live(0), Err(Errno::InvalidArgument)));
    assert!(matches!(world.any(u32::MAX), Err(Errno::InvalidArgument)));
    assert_eq!(world.close(1), Err(Errno::InvalidArgument));
    assert_eq!(world.unload(1), Err(Errno::InvalidArgument));
}

#[test]
fn an_unloaded_graph_leaves_contexts_that_can_only_be_read() {
    let mut world = world();
    let graph = world.load("default", None).expect("loads");
    let context = world.open(graph).expect("opens");
    world.unload(graph).expect("unloads");
    assert!(matches!(world.live(context), Err(Errno::InvalidArgument)));
    assert!(world.any(context).is_ok());
    assert_eq!(world.open(graph), Err(Errno::InvalidArgument));
    let again = world.load("default", None).expect("loads again");
    assert_ne!(again, graph);
}

#[test]
fn a_closed_context_is_gone_and_makes_room() {
    let mut world = world();
    let graph = world.load("default", None).expect("loads");
    let contexts: Vec<u32> = (0..CONTEXTS_MAX).map(|_| world.open(graph).expect("opens")).collect();
    assert_eq!(world.open(graph), Err(Errno::RuntimeError));
    world.close(contexts[0]).expect("closes");
    assert!(matches!(world.any(contexts[0]), Err(Errno::InvalidArgument)));
    assert!(world.open(graph).is_ok());
}
