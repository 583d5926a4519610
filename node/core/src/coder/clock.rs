//! The port to the clock: a use case that may take only so long has no timer of its own.

use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::task::Poll;
use std::time::Duration;

/// A moment that is being waited for.
pub type Moment<'a> = Pin<Box<dyn Future<Output = ()> + Send + 'a>>;

/// Tells the time. Implemented over the host's timers, and by a strict fake in tests.
pub trait Clock: Send + Sync {
    /// The time since a moment that is the clock's own and never changes.
    fn now(&self) -> Duration;

    /// Waits until [`Clock::now`] is that late.
    fn until(&self, moment: Duration) -> Moment<'_>;
}

/// Lets whatever else runs on this thread go on, once.
pub(super) async fn breathe() {
    let mut has_waited = false;
    poll_fn(|context| {
        if std::mem::replace(&mut has_waited, true) {
            return Poll::Ready(());
        }
        context.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

/// What came of the work, unless the alarm came first; the work is dropped then.
pub(super) async fn before<T>(
    alarm: impl Future<Output = ()>,
    work: impl Future<Output = T>,
) -> Option<T> {
    let (mut alarm, mut work) = (pin!(alarm), pin!(work));
    poll_fn(|context| {
        if let Poll::Ready(done) = work.as_mut().poll(context) {
            return Poll::Ready(Some(done));
        }
        alarm.as_mut().poll(context).map(|()| None)
    })
    .await
}

/// Does several things at once; the results stand in the order of the works. What is not done when
/// the alarm comes is dropped, and its place is empty.
pub(super) async fn all_before<T>(
    alarm: impl Future<Output = ()>,
    works: Vec<Pin<Box<dyn Future<Output = T> + Send + '_>>>,
) -> Vec<Option<T>> {
    let mut done: Vec<Option<T>> = works.iter().map(|_| None).collect();
    let mut works: Vec<_> = works.into_iter().map(Some).collect();
    let mut alarm = pin!(alarm);
    poll_fn(|context| {
        for (place, slot) in works.iter_mut().enumerate() {
            let Some(work) = slot else { continue };
            if let Poll::Ready(result) = work.as_mut().poll(context) {
                (done[place], *slot) = (Some(result), None);
            }
        }
        match works.iter().all(Option::is_none) {
            true => Poll::Ready(()),
            false => alarm.as_mut().poll(context),
        }
    })
    .await;
    done
}
