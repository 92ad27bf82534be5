//! Which columns of a table play which part, from the declared roles.

use super::profile::roles_of;
use super::schema::{Role, Roles};
use super::table::Table;

/// The columns of a table by the part that they play; each list in the order of the table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Columns {
    /// What names a row: one column, several together, or none.
    pub id: Vec<String>,
    /// What is predicted.
    pub target: String,
    /// What it is predicted from. A column that is only a segment is no feature.
    pub features: Vec<String>,
    /// What groups rows for evaluation.
    pub segments: Vec<String>,
    /// What a row counts when a model is fitted; without it, all count alike.
    pub weight: Option<String>,
}

impl Columns {
    /// The columns of a table by their roles; a column without any is a feature.
    ///
    /// # Errors
    /// A role of a column that is not there; no target or several; several weights; a column that
    /// is target or weight and something else; no feature.
    pub fn of(table: &Table, roles: &Roles) -> Result<Columns, String> {
        if let Some(name) = roles.keys().find(|name| table.column(name).is_none()) {
            let known = table.names().collect::<Vec<_>>().join(", ");
            return Err(format!("`columns` names `{name}`, which the table has not: {known}"));
        }
        let with = |role: Role| -> Vec<String> {
            let has = |name: &&str| roles_of(name, roles).contains(&role);
            table.names().filter(has).map(str::to_owned).collect()
        };
        let [target] = with(Role::Target).try_into().map_err(|targets: Vec<String>| {
            format!(
                "exactly one column must have the role `target`: {}",
                if targets.is_empty() { "none has".to_owned() } else { targets.join(", ") }
            )
        })?;
        if roles_of(&target, roles) != [Role::Target] {
            return Err(format!("column `{target}` is the target and can have no other role"));
        }
        let weights = with(Role::Weight);
        if weights.len() > 1 {
            let names = weights.join(", ");
            return Err(format!("at most one column may have the role `weight`: {names}"));
        }
        let weight = weights.into_iter().next();
        if let Some(name) = weight.iter().find(|name| roles_of(name, roles) != [Role::Weight]) {
            return Err(format!("column `{name}` is the weight and can have no other role"));
        }
        let ignored = with(Role::Ignore);
        let keep = |names: Vec<String>| -> Vec<String> {
            names.into_iter().filter(|name| !ignored.contains(name)).collect()
        };
        let features = keep(with(Role::Feature));
        if features.is_empty() {
            return Err("no column is left to be a feature".to_owned());
        }
        Ok(Columns {
            id: keep(with(Role::Id)),
            target,
            features,
            segments: keep(with(Role::Segment)),
            weight,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ml::table::{Column, Values};

    fn table(names: &[&str]) -> Table {
        let column = |name: &&str| Column::new(*name, Values::Integer(vec![Some(1)]));
        Table::new(names.iter().map(column).collect()).unwrap()
    }

    fn roles(declared: &[(&str, &[Role])]) -> Roles {
        declared.iter().map(|(name, roles)| ((*name).to_owned(), roles.to_vec())).collect()
    }

    #[test]
    fn a_column_without_a_role_is_a_feature_and_a_mere_segment_is_none() {
        let declared = roles(&[
            ("key", &[Role::Id]),
            ("y", &[Role::Target]),
            ("plan", &[Role::Segment, Role::Feature]),
            ("region", &[Role::Segment]),
            ("note", &[Role::Ignore]),
            ("count", &[Role::Weight]),
        ]);
        let table = table(&["key", "age", "plan", "region", "note", "count", "y"]);
        let columns = Columns::of(&table, &declared).unwrap();
        assert_eq!(columns.id, ["key"]);
        assert_eq!(columns.target, "y");
        assert_eq!(columns.features, ["age", "plan"]);
        assert_eq!(columns.segments, ["plan", "region"]);
        assert_eq!(columns.weight.as_deref(), Some("count"));
    }

    #[test]
    fn what_does_not_add_up_is_told() {
        let refuse = |declared: &[(&str, &[Role])]| {
            Columns::of(&table(&["a", "y"]), &roles(declared)).unwrap_err()
        };
        assert_eq!(refuse(&[]), "exactly one column must have the role `target`: none has");
        let both = refuse(&[("a", &[Role::Target]), ("y", &[Role::Target])]);
        assert_eq!(both, "exactly one column must have the role `target`: a, y");
        let wrong = refuse(&[("z", &[Role::Target])]);
        assert_eq!(wrong, "`columns` names `z`, which the table has not: a, y");
        let wrong = refuse(&[("y", &[Role::Target, Role::Id])]);
        assert_eq!(wrong, "column `y` is the target and can have no other role");
        let wrong = refuse(&[("y", &[Role::Target]), ("a", &[Role::Weight, Role::Feature])]);
        assert_eq!(wrong, "column `a` is the weight and can have no other role");
        let wrong = refuse(&[("y", &[Role::Target]), ("a", &[Role::Ignore])]);
        assert_eq!(wrong, "no column is left to be a feature");
    }
}
