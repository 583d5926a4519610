//! The policy's refused system calls as filter programs for bubblewrap.
//!
//! Three programs, of which the kernel takes the strictest answer: EPERM for what is refused,
//! ENOSYS for what shall look absent, ENOSYS for numbers that the policy doesn't know.

use std::collections::BTreeMap;

use seccompiler::{
    BackendError, BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition,
    SeccompFilter, SeccompRule, TargetArch,
};

use super::policy;

type Rules = BTreeMap<i64, Vec<SeccompRule>>;

/// The programs, each in the kernel's own format.
///
/// # Errors
/// The policy names a condition that no filter can hold.
pub fn programs() -> Result<Vec<Vec<u8>>, BackendError> {
    let refused = compile(refused()?, libc::EPERM)?;
    let absent = compile(plain(policy::ABSENT), libc::ENOSYS)?;
    Ok(vec![bytes(&refused), bytes(&absent), unknown()])
}

fn refused() -> Result<Rules, BackendError> {
    let mut rules = plain(policy::REFUSED);
    let not_unix = vec![rule(0, SeccompCmpOp::Ne, libc::AF_UNIX as u64)?];
    rules.insert(libc::SYS_socket, not_unix.clone());
    rules.insert(libc::SYS_socketpair, not_unix);
    let flags = policy::NAMESPACE_FLAGS.map(|flag| flag as u64);
    let clone = flags.map(|flag| rule(0, SeccompCmpOp::MaskedEq(flag), flag));
    rules.insert(libc::SYS_clone, clone.into_iter().collect::<Result<_, _>>()?);
    let ioctl = policy::REFUSED_IOCTLS.map(|request| rule(1, SeccompCmpOp::Eq, request));
    rules.insert(libc::SYS_ioctl, ioctl.into_iter().collect::<Result<_, _>>()?);
    rules.insert(libc::SYS_personality, vec![changes_personality()?]);
    Ok(rules)
}

fn plain(calls: &[(&str, i64)]) -> Rules {
    calls.iter().map(|(_, number)| (*number, vec![])).collect()
}

fn rule(argument: u8, operator: SeccompCmpOp, value: u64) -> Result<SeccompRule, BackendError> {
    SeccompRule::new(vec![condition(argument, operator, value)?])
}

/// The kernel looks at the lower half of each of these arguments only.
fn condition(
    argument: u8,
    operator: SeccompCmpOp,
    value: u64,
) -> Result<SeccompCondition, BackendError> {
    SeccompCondition::new(argument, SeccompCmpArgLen::Dword, operator, value)
}

/// 0 is the ordinary one, all bits set is a question.
fn changes_personality() -> Result<SeccompRule, BackendError> {
    let question = u64::from(u32::MAX);
    SeccompRule::new(vec![
        condition(0, SeccompCmpOp::Ne, 0)?,
        condition(0, SeccompCmpOp::Ne, question)?,
    ])
}

fn compile(rules: Rules, errno: i32) -> Result<BpfProgram, BackendError> {
    let answer = SeccompAction::Errno(errno.unsigned_abs());
    SeccompFilter::new(rules, SeccompAction::Allow, answer, TargetArch::x86_64)?.try_into()
}

fn bytes(program: &BpfProgram) -> Vec<u8> {
    let instructions = program.iter();
    instructions.flat_map(|step| instruction(step.code, [step.jt, step.jf], step.k)).collect()
}

/// `struct sock_filter`.
fn instruction(code: u16, jumps: [u8; 2], operand: u32) -> [u8; 8] {
    let [code, operand] = [u32::from(code), operand].map(u32::to_ne_bytes);
    [code[0], code[1], jumps[0], jumps[1], operand[0], operand[1], operand[2], operand[3]]
}

/// Loads the call's number; from the policy's first unknown one on, ENOSYS.
fn unknown() -> Vec<u8> {
    let absent = libc::SECCOMP_RET_ERRNO | libc::ENOSYS.unsigned_abs();
    let load = (libc::BPF_LD | libc::BPF_W | libc::BPF_ABS) as u16;
    let jump = (libc::BPF_JMP | libc::BPF_JGE | libc::BPF_K) as u16;
    let answer = (libc::BPF_RET | libc::BPF_K) as u16;
    [
        instruction(load, [0, 0], 0),
        instruction(jump, [0, 1], policy::FIRST_UNKNOWN),
        instruction(answer, [0, 0], absent),
        instruction(answer, [0, 0], libc::SECCOMP_RET_ALLOW),
    ]
    .concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_policy_makes_programs_that_the_kernel_takes() {
        let programs = programs().expect("compiles");
        assert_eq!(programs.len(), 3);
        for program in programs {
            assert_eq!(program.len() % 8, 0);
            assert!(program.len() / 8 <= 4096, "the kernel's limit of instructions");
        }
    }

    #[test]
    fn no_call_is_in_both_lists() {
        let refused = plain(policy::REFUSED);
        assert_eq!(refused.len(), policy::REFUSED.len(), "named once");
        assert!(policy::ABSENT.iter().all(|(_, number)| !refused.contains_key(number)));
    }

    #[test]
    fn what_a_compiler_needs_is_not_refused() {
        let refused = refused().expect("compiles");
        for number in [libc::SYS_execve, libc::SYS_openat, libc::SYS_mmap, libc::SYS_futex] {
            assert!(!refused.contains_key(&number));
        }
        assert!(!refused[&libc::SYS_clone].is_empty(), "with a condition only");
    }

    #[test]
    fn the_x32_interface_is_unknown() {
        let known = libc::SYS_landlock_restrict_self..1 << 30;
        assert!(known.contains(&i64::from(policy::FIRST_UNKNOWN)));
    }
}
