//! The way of a request through the pool.

use std::time::Duration;

use gaia_protocol::Outcome;

use super::guest::{Message, Node, number};
use crate::nn::Errno;

const ECHO: &str = "(drop (call $take)) (call $reply)";

/// Takes its request and then emits for ever, until it is told to stop.
const CHATTER: &str = "(drop (call $take))
    (loop $again (br_if $again (i32.eqz (call $emit (i32.const 1024) (i32.const 1)))))";

#[test]
fn an_app_gets_its_request_and_its_events_come_back() {
    let node = Node::start(ECHO);
    let (events, outcome) = node.ask(b"{\"hello\":1}");
    assert_eq!(events, [b"{\"hello\":1}"]);
    assert_eq!(outcome, Outcome::Done);
}

#[test]
fn each_request_gets_a_fresh_instance() {
    // Counts in its memory how often it was asked.
    let node = Node::start(
        "(drop (call $take))
         (i32.store (i32.const 256) (i32.add (i32.load (i32.const 256)) (i32.const 1)))
         (call $say (i32.load (i32.const 256)))",
    );
    for _ in 0..10 {
        let (events, outcome) = node.ask(b"x");
        assert_eq!((number(&events[0]), outcome), (1, Outcome::Done));
    }
}

#[test]
fn a_request_stays_until_its_buffer_is_large_enough_and_comes_once() {
    let node = Node::start(
        "(call $say (call $next (i32.const 1024) (i32.const 3) (i32.const 0)))
         (call $say (call $next (i32.const 1024) (i32.const 3) (i32.const 0)))
         (call $say (i32.load (i32.const 0)))
         (call $say (call $next (i32.const 1024) (i32.const 4) (i32.const 0)))
         (call $say (call $take))",
    );
    let (events, outcome) = node.ask(b"four");
    let numbers: Vec<i32> = events.iter().map(|event| number(event)).collect();
    let too_large = Errno::TooLarge.number();
    assert_eq!(numbers, [too_large, too_large, 4, 0, Errno::EndOfSequence.number()]);
    assert_eq!(outcome, Outcome::Done);
}

#[test]
fn many_requests_at_once_each_get_their_own_answer() {
    let node = Node::with(ECHO, |config| {
        config.instances_max = 64;
        config.instances_warm = 2;
    });
    let clients: Vec<_> = (0..64u8).map(|id| (id, node.submit(&[id]))).collect();
    for (id, client) in clients {
        assert_eq!(client.finish(), (vec![vec![id]], Outcome::Done));
    }
}

#[test]
fn over_the_limit_a_request_is_refused_and_later_ones_are_served() {
    let node = Node::with(CHATTER, |config| config.instances_max = 1);
    let first = node.submit(b"1");
    assert_eq!(first.next(), Message::Event(vec![b'1']));
    assert_eq!(node.ask(b"2"), (vec![], Outcome::Overloaded));
    first.handle.cancel();
    assert_eq!(first.finish().1, Outcome::Cancelled);
    let third = node.submit(b"3");
    assert_eq!(third.next(), Message::Event(vec![b'3']));
}

#[test]
fn cancelling_reaches_a_guest_that_waits_for_room() {
    let node = Node::start(CHATTER);
    let client = node.submit_to(b"x", 1);
    assert_eq!(client.next(), Message::Event(vec![b'x']));
    assert_eq!(client.next(), Message::Full);
    client.handle.cancel();
    assert_eq!(client.finish(), (vec![], Outcome::Cancelled));
    assert_eq!(node.pool.stats().traps_total, 0, "the guest ended by itself");
}

#[test]
fn a_client_that_stops_listening_ends_its_request() {
    let node = Node::start(CHATTER);
    let client = node.submit(b"x");
    assert_eq!(client.next(), Message::Event(vec![b'x']));
    drop(client);
    node.pool.drain(Duration::from_secs(60));
    assert_eq!(node.pool.stats().active, 0);
}

#[test]
fn cancelling_twice_or_after_the_end_does_nothing() {
    let node = Node::start(ECHO);
    let client = node.submit(b"x");
    assert_eq!(client.next(), Message::Event(vec![b'x']));
    assert_eq!(client.next(), Message::End(Outcome::Done));
    client.handle.cancel();
    client.handle.cancel();
    assert!(client.messages.recv().is_err() || client.messages.try_recv().is_err());
}

#[test]
fn an_event_over_its_limit_is_refused_and_the_guest_goes_on() {
    let node = Node::with(
        "(drop (call $take))
         (call $say (call $emit (i32.const 1024) (i32.const 17)))
         (call $say (call $emit (i32.const 1024) (i32.const 16)))",
        |config| config.event_bytes_max = 16,
    );
    let (events, outcome) = node.ask(b"x");
    assert_eq!(number(&events[0]), Errno::TooLarge.number());
    assert_eq!(events[1].len(), 16);
    assert_eq!(number(&events[2]), 0);
    assert_eq!(outcome, Outcome::Done);
}

#[test]
fn an_event_before_the_request_is_refused() {
    let node = Node::start(
        "(local $early i32)
         (local.set $early (call $emit (i32.const 0) (i32.const 1)))
         (drop (call $take)) (call $say (local.get $early))",
    );
    let (events, _) = node.ask(b"x");
    assert_eq!(number(&events[0]), Errno::UnsupportedOperation.number());
}

#[test]
fn draining_lets_running_requests_end_and_refuses_new_ones() {
    let node = Node::start(CHATTER);
    let running = node.submit(b"x");
    assert_eq!(running.next(), Message::Event(vec![b'x']));
    std::thread::scope(|scope| {
        let draining = scope.spawn(|| node.pool.drain(Duration::from_secs(60)));
        // Until the drain has begun, new requests run: these are cancelled.
        loop {
            let client = node.submit(b"y");
            client.handle.cancel();
            if client.finish().1 == Outcome::Draining {
                break;
            }
        }
        running.handle.cancel();
        // Listening makes room for the end.
        assert_eq!(running.finish().1, Outcome::Cancelled);
        draining.join().expect("drains");
    });
    assert_eq!(node.pool.stats().active, 0);
    assert_eq!(node.pool.stats().warm, 0);
}

#[test]
fn dropping_the_pool_ends_what_runs() {
    let node = Node::start(CHATTER);
    let running = node.submit(b"x");
    assert_eq!(running.next(), Message::Event(vec![b'x']));
    drop(node);
    assert_eq!(running.finish().1, Outcome::Cancelled);
}

#[test]
fn a_pool_that_keeps_none_warm_makes_instances_on_demand() {
    let node = Node::with(ECHO, |config| config.instances_warm = 0);
    for id in 0..5 {
        assert_eq!(node.ask(&[id]), (vec![vec![id]], Outcome::Done));
    }
}

#[test]
fn an_app_that_never_answers_is_a_failure() {
    let node = Node::start("(drop (call $take))");
    let (events, outcome) = node.ask(b"x");
    assert!(events.is_empty());
    assert!(matches!(outcome, Outcome::Failed { .. }), "{outcome:?}");
}

#[test]
fn a_guest_that_traps_ends_its_own_request_only() {
    let node = Node::start("(drop (call $take)) (call $reply) (unreachable)");
    for _ in 0..3 {
        let (events, outcome) = node.ask(b"x");
        assert_eq!(events, [b"x"]);
        assert_eq!(outcome, Outcome::Trap { message: "unreachable".into() });
    }
    assert_eq!(node.pool.stats().traps_total, 3);
}
