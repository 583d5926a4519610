//! From root to nobody in particular.

use rustix::process::{Gid, Uid};
use rustix::thread::{set_thread_groups, set_thread_res_gid, set_thread_res_uid};

use super::Attempt;

/// Becomes `uid`, with the group of the same number and no other; that takes every capability too.
/// `None`: stays who it is.
///
/// # Errors
/// The id is not mapped in this container, or the process has no right to change.
pub fn drop(uid: Option<u32>) -> Result<(), String> {
    let Some(uid) = uid else { return Ok(()) };
    let (user, group) = (Uid::from_raw(uid), Gid::from_raw(uid));
    let what = format!("become user {uid} (is it mapped in this container?)");
    set_thread_groups(&[]).attempt(&what)?;
    set_thread_res_gid(group, group, group).attempt(&what)?;
    set_thread_res_uid(user, user, user).attempt(&what)?;
    if set_thread_res_uid(Uid::ROOT, Uid::ROOT, Uid::ROOT).is_ok() {
        return Err(format!("user {uid} can become root again: this is no safe place for jobs"));
    }
    Ok(())
}
