//! Features that are on together.
//!
//! A crate is compiled once for each set of features, and so is all that depends on it. A few helpers
//! of macros are asked for with ever other sets; of these any feature brings all.

use super::error::CatalogError;

/// A crate's manifest in which each of some features brings the others. Features that the crate has not
/// got are left out.
///
/// # Errors
/// Refuses what is no manifest.
pub fn with_features_together(manifest: &str, together: &[String]) -> Result<String, CatalogError> {
    let mut manifest: toml::Table = manifest.parse()?;
    let Some(features) = manifest.get_mut("features").and_then(toml::Value::as_table_mut) else {
        return Ok(manifest.to_string());
    };
    let there: Vec<_> = together.iter().filter(|name| features.contains_key(*name)).collect();
    for name in &there {
        let Some(brings) = features.get_mut(*name).and_then(toml::Value::as_array_mut) else {
            continue;
        };
        let others = there.iter().filter(|other| *other != name);
        let others = others.map(|other| toml::Value::from(other.as_str()));
        let missing: Vec<_> = others.filter(|other| !brings.contains(other)).collect();
        brings.extend(missing);
    }
    Ok(manifest.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn changed(manifest: &str) -> toml::Table {
        let together = ["default", "a", "b", "missing"].map(str::to_owned);
        let text = with_features_together(manifest, &together).expect("changed");
        text.parse().expect("TOML")
    }

    #[test]
    fn each_brings_the_others() {
        let manifest = "[package]\nname = \"x\"\n[features]\ndefault = [\"a\"]\na = [\"dep:y\"]\nb = []\nc = []\n";
        let features = &changed(manifest)["features"];
        let of = |name: &str| features[name].as_array().expect("a list").len();
        assert_eq!((of("default"), of("a"), of("b"), of("c")), (2, 3, 2, 0));
        assert!(features.get("missing").is_none());
    }

    #[test]
    fn a_crate_without_features_stays() {
        assert_eq!(changed("[package]\nname = \"x\"\n").len(), 1);
        assert!(with_features_together("x", &[]).is_err());
    }
}
