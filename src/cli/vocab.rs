//! `sbpl vocab`: the tables of a target.

use clap::ValueEnum;
use serde_json::json;

use super::context::Context;
use super::exit::{Exit, Failure};
use crate::vocab::{self, ModifierArg, Operation, Target};

/// Print a target's operations, filters, modifiers, enumerations, or the list of targets.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Which table.
    #[arg(value_enum)]
    table: Table,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Table {
    Ops,
    Filters,
    Modifiers,
    Enums,
    Targets,
}

impl Args {
    pub(super) fn run(self, context: &mut Context) -> Result<Exit, Box<Failure>> {
        let target = context.target;
        if context.json {
            context.print_json(&as_json(target, self.table));
        } else {
            context.print(as_text(target, self.table));
        }
        Ok(Exit::Fine)
    }
}

fn as_json(target: &Target, table: Table) -> serde_json::Value {
    let rows = match table {
        Table::Ops => json!(target.operations().iter().map(|op| op_json(target, op)).collect::<Vec<_>>()),
        Table::Filters => json!(target.filters()),
        Table::Modifiers => json!(target.modifiers()),
        Table::Enums => json!(target.enums()),
        Table::Targets => return json!({ "targets": vocab::target_names().collect::<Vec<_>>() }),
    };
    let key = match table {
        Table::Ops => "operations",
        Table::Filters => "filters",
        Table::Modifiers => "modifiers",
        _ => "enums",
    };
    json!({ "target": target.name(), "gaps": target.gaps(), key: rows })
}

fn op_json(target: &Target, operation: &Operation) -> serde_json::Value {
    let mut row = json!(operation);
    row["parent"] = json!(operation.parent.map(|parent| target.operation(parent).name));
    row
}

fn as_text(target: &Target, table: Table) -> String {
    let mut lines: Vec<String> = target.gaps().iter().map(|gap| format!("# {gap}")).collect();
    match table {
        Table::Ops => lines.extend(target.operations().iter().map(|operation| {
            let falls_back = match (operation.parent, operation.own) {
                (Some(parent), _) => target.operation(parent).name,
                (None, Some(own)) => own.name(),
                (None, None) => "",
            };
            let prelude = match operation.prelude {
                0 => String::new(),
                1 => "  allowed in version 1".to_owned(),
                version => format!("  allowed in versions 1 to {version}"),
            };
            let line = format!("{:3}  {:48} {falls_back:32}{prelude}", operation.id.0, operation.name);
            line.trim_end().to_owned()
        })),
        Table::Filters => lines.extend(target.filters().iter().map(|filter| {
            let argument = serde_json::to_value(filter.argument).unwrap_or_default();
            let argument = argument.as_str().unwrap_or_default();
            format!("{:3}  {:48} {argument:16} {}", filter.id.0, filter.name, filter.category)
        })),
        Table::Modifiers => lines.extend(target.modifiers().iter().map(|modifier| {
            let actions: Vec<_> = modifier.actions.iter().map(|action| action.name()).collect();
            let argument = match modifier.argument {
                ModifierArg::None => "",
                ModifierArg::Integer => "  NUMBER",
                ModifierArg::String => "  STRING",
                ModifierArg::Rules => "  RULES",
            };
            format!("{:3}  {:24} {}{argument}", modifier.id.0, modifier.name, actions.join(", "))
        })),
        Table::Enums => lines.extend(target.enums().iter().flat_map(|(name, symbols)| {
            symbols.iter().map(move |entry| format!("{name:32} {:48} {}", entry.symbol, entry.value))
        })),
        Table::Targets => lines = vocab::target_names().map(str::to_owned).collect(),
    }
    lines.push(String::new());
    lines.join("\n")
}
