use super::*;

fn seats(warm: u32, busy_max: u32) -> Seats<&'static str, u8> {
    Seats::new(Bounds { warm, busy_max })
}

fn warmed(seats: &mut Seats<&'static str, u8>, id: u64) {
    seats.warming(id, "seat");
    assert_eq!(seats.ready(id), Ready::Idle);
}

#[test]
fn a_request_over_the_limit_is_refused() {
    let mut seats = seats(1, 1);
    warmed(&mut seats, 1);
    assert_eq!(seats.admit(&1), Admission::Run("seat"));
    assert_eq!(seats.admit(&2), Admission::Refused(Outcome::Overloaded));
    assert!(seats.gone(1, "", Instant::now()).is_empty());
    assert_eq!(seats.admit(&3), Admission::Wait);
    assert_eq!(seats.admit(&4), Admission::Refused(Outcome::Overloaded));
}

#[test]
fn a_waiting_request_is_taken_by_the_next_warm_instance() {
    let mut seats = seats(0, 4);
    assert_eq!(seats.missing(Instant::now()), 0);
    assert_eq!(seats.admit(&7), Admission::Wait);
    assert_eq!(seats.missing(Instant::now()), 1);
    seats.warming(1, "seat");
    assert_eq!(seats.missing(Instant::now()), 0);
    assert_eq!(seats.ready(1), Ready::Run(7));
    assert_eq!(seats.busy(), 1);
}

#[test]
fn an_app_that_dies_while_warming_up_is_tried_again_later_and_later() {
    let mut seats = seats(2, 4);
    let now = Instant::now();
    let mut waits = Vec::new();
    for id in 0..12 {
        seats.warming(id, "seat");
        seats.gone(id, "it trapped", now);
        let retry_at = seats.retry_at().expect("backing off");
        assert_eq!(seats.missing(now), 0);
        assert_eq!(seats.missing(retry_at), 2);
        waits.push(retry_at - now);
    }
    assert_eq!(waits[..3], [100, 200, 400].map(Duration::from_millis));
    assert_eq!(waits.last(), Some(&BACKOFF_MAX));
    let refused = Outcome::Failed { message: "it trapped".into() };
    assert_eq!(seats.admit(&1), Admission::Refused(refused));
}

#[test]
fn an_app_of_which_no_instance_is_kept_warm_is_tried_again_too() {
    let mut seats = seats(0, 4);
    let now = Instant::now();
    assert_eq!(seats.admit(&1), Admission::Wait);
    seats.warming(1, "seat");
    assert_eq!(seats.gone(1, "it trapped", now), [1]);
    let retry_at = seats.retry_at().expect("backing off");
    assert_eq!((seats.missing(now), seats.missing(retry_at)), (0, 1));
    seats.warming(2, "seat");
    assert_eq!(seats.missing(retry_at), 0);
    assert_eq!(seats.admit(&2), Admission::Wait);
    assert_eq!(seats.ready(2), Ready::Run(2));
    assert_eq!(seats.missing(retry_at), 0, "none is kept warm");
}

#[test]
fn an_app_that_fails_is_not_tried_again_while_draining() {
    let mut seats = seats(0, 4);
    seats.warming(1, "seat");
    seats.gone(1, "it trapped", Instant::now());
    let retry_at = seats.retry_at().expect("backing off");
    assert_eq!(seats.drain(), [""; 0]);
    assert_eq!(seats.missing(retry_at), 0);
}

#[test]
fn requests_that_waited_for_a_failed_instance_are_given_back() {
    let mut seats = seats(0, 4);
    assert_eq!(seats.admit(&1), Admission::Wait);
    assert_eq!(seats.admit(&2), Admission::Wait);
    seats.warming(1, "first");
    seats.warming(2, "second");
    assert!(seats.gone(1, "it trapped", Instant::now()).is_empty(), "the second may still come");
    assert_eq!(seats.gone(2, "it trapped", Instant::now()), [1, 2]);
}

#[test]
fn a_good_instance_ends_the_backing_off() {
    let mut seats = seats(1, 4);
    let now = Instant::now();
    seats.warming(1, "seat");
    seats.gone(1, "it trapped", now);
    warmed(&mut seats, 2);
    assert_eq!(seats.failure(), None);
    assert_eq!(seats.admit(&1), Admission::Run("seat"));
    assert_eq!(seats.missing(now), 1);
}

#[test]
fn draining_ends_idle_instances_and_serves_what_waits() {
    let mut seats = seats(2, 4);
    warmed(&mut seats, 1);
    warmed(&mut seats, 2);
    assert_eq!(seats.admit(&1), Admission::Run("seat"));
    assert_eq!(seats.drain(), ["seat"]);
    assert_eq!(seats.admit(&2), Admission::Refused(Outcome::Draining));
    assert_eq!(seats.missing(Instant::now()), 0);
    seats.gone(1, "", Instant::now());
    assert!(seats.is_empty());
}

#[test]
fn a_request_that_waits_can_be_taken_back() {
    let mut seats = seats(0, 4);
    assert_eq!(seats.admit(&1), Admission::Wait);
    assert_eq!(seats.admit(&2), Admission::Wait);
    assert_eq!(seats.remove_pending(|request| *request == 1), [1]);
    assert_eq!(seats.all_pending().collect::<Vec<_>>(), [&2]);
}
