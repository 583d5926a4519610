//! The kernel's path rules around the command, as a second lock beside the mounts: read everywhere,
//! write in the job's folders and to harmless devices, no TCP, no signal to the outside.

use landlock::{
    ABI, Access, AccessFs, AccessNet, CompatLevel, Compatible, Ruleset, RulesetAttr,
    RulesetCreatedAttr, RulesetError, RulesetStatus, Scope, path_beneath_rules,
};

use super::policy;

/// The newest rules that the policy was tried with. An older kernel holds those that it knows.
const NEWEST: ABI = ABI::V6;

/// Restricts this process and all that it starts. `true` if the kernel knows all the rules.
///
/// # Errors
/// The kernel enforces nothing.
pub fn restrict(without: Option<&str>) -> Result<bool, String> {
    match ruleset(without) {
        Ok(RulesetStatus::FullyEnforced) => Ok(true),
        Ok(RulesetStatus::PartiallyEnforced) => Ok(false),
        Ok(_) => Err("the kernel has no Landlock: boot it with `landlock` in `lsm=`".into()),
        Err(error) => Err(format!("Landlock refused the rules: {error}")),
    }
}

fn ruleset(without: Option<&str>) -> Result<RulesetStatus, RulesetError> {
    let writable = policy::WRITABLE.iter().map(|(_, path)| *path);
    let writable = writable.filter(|path| Some(*path) != without);
    let devices = ["/dev/null", "/dev/zero", "/dev/full"];
    let status = Ruleset::default()
        .set_compatibility(CompatLevel::BestEffort)
        .handle_access(AccessFs::from_all(NEWEST))?
        .handle_access(AccessNet::from_all(NEWEST))?
        .scope(Scope::from_all(NEWEST))?
        .create()?
        .add_rules(path_beneath_rules(["/"], AccessFs::from_read(NEWEST)))?
        .add_rules(path_beneath_rules(devices, AccessFs::from_file(NEWEST)))?
        .add_rules(path_beneath_rules(writable, AccessFs::from_all(NEWEST)))?
        .restrict_self()?;
    Ok(status.ruleset)
}
