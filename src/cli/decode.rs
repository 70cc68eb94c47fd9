//! `sbpl decode`: what a compiled profile holds.

use std::collections::HashMap;
use std::fmt::Write;
use std::path::PathBuf;

use serde_json::{Value, json};

use super::blob_file::{self, BlobFile};
use super::compile::sha256;
use super::context::Context;
use super::exit::{Exit, Failure};
use super::files;
use super::question::usage;
use super::side::{CODE_PROFILE, profile_of};
use crate::blob::{Argument, Decoded, Legacy, Node, ProgramNode, Roots, Selection, decode, encode, quote};
use crate::decide::operation_named;
use crate::diag::Diagnostic;

/// Show a compiled profile: header, sections, operations by root, nodes, pool.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    file: BlobFile,
    /// Write the profile again from the decoded structure. Exit status 1 when the bytes differ.
    #[arg(long, value_name = "OUT")]
    re_encode: Option<PathBuf>,
    /// Only the names of a collection's profiles.
    #[arg(long, conflicts_with = "profile")]
    list: bool,
    /// Only this profile of a collection.
    #[arg(long, value_name = "NAME")]
    profile: Option<String>,
    /// Only this operation: its root, the nodes that it reaches and what they refer to; may be repeated.
    #[arg(long, value_name = "OPERATION", conflicts_with = "list")]
    operation: Vec<String>,
}

impl Args {
    pub(super) fn run(self, context: &mut Context) -> Result<Exit, Box<Failure>> {
        let source = self.file.read(context)?;
        let bytes = source.text();
        let decoded = decode(bytes, &self.file.options()).map_err(|error| self.file.failure(&error))?;
        let selection = self.selection(&decoded)?;
        let again = match &self.re_encode {
            None => None,
            Some(path) => {
                let again = encode(&decoded.program)
                    .map_err(|error| blob_file::failure(&self.file.path, Diagnostic::from(&error)))?;
                files::write_atomically(context, path, &again, &[&self.file.path])?;
                Some(again)
            }
        };
        let first_difference = again.as_ref().map(|again| first_difference(bytes, again));
        // With the blob on standard output there is no room for anything else.
        let piped = self.re_encode.as_deref() == Some(std::path::Path::new("-"));
        if context.json && !piped {
            let mut document = if self.list { list_json(&decoded) } else { decoded.to_json(&selection) };
            document["sha256"] = json!(sha256(bytes));
            if let (Some(again), Some(difference)) = (&again, first_difference) {
                document["re_encoded"] = json!({
                    "size_bytes": again.len(),
                    "sha256": sha256(again),
                    "identical": difference.is_none(),
                    "first_difference": difference,
                });
            }
            context.print_json(&document);
        } else if !piped {
            match (self.list, first_difference) {
                (true, _) => context.print(list_text(&decoded)),
                (false, None) => context.print(Text::of(&decoded, &selection)),
                (false, Some(None)) => context.print("identical\n"),
                (false, Some(Some(at))) => context.print(format!("first difference at byte {at:#x}\n")),
            }
        }
        Ok(if first_difference.flatten().is_some() { Exit::No } else { Exit::Fine })
    }

    fn selection(&self, decoded: &Decoded<'_>) -> Result<Selection, Box<Failure>> {
        let path = &self.file.path;
        if self.list && decoded.profile_names().is_empty() {
            let message = format!("{}: one profile, not a collection: there are no names to list", path.display());
            return Err(Failure::new(Exit::Usage, CODE_PROFILE, message));
        }
        let profile = match self.profile.as_deref() {
            None => None,
            wanted => Some(profile_of(path, &decoded.program, wanted, "--profile")?),
        };
        let number = |name: &String| match decoded.names.operation_named(name) {
            Some(number) => Ok(number),
            None => operation_named(decoded.names.target(), name).map(|id| id.0).map_err(|error| usage(&error)),
        };
        let operations = self.operation.iter().map(number).collect::<Result<_, _>>()?;
        Ok(Selection { profile, operations })
    }
}

fn first_difference(before: &[u8], after: &[u8]) -> Option<usize> {
    let common = before.iter().zip(after).position(|(a, b)| a != b);
    common.or_else(|| (before.len() != after.len()).then(|| before.len().min(after.len())))
}

fn list_json(decoded: &Decoded<'_>) -> Value {
    let names = decoded.profile_names();
    json!({
        "generation": decoded.header().generation,
        "profiles": names.iter().map(|name| String::from_utf8_lossy(name)).collect::<Vec<_>>(),
    })
}

fn list_text(decoded: &Decoded<'_>) -> Vec<u8> {
    let mut text = Vec::new();
    for name in decoded.profile_names() {
        text.extend(name);
        text.push(b'\n');
    }
    text
}

/// Longest line of operation names.
const WIDTH: usize = 110;
/// Characters behind a node; the pool shows all.
const NOTE: usize = 120;

/// The view for people. Writing to a String cannot fail, so results of `writeln!` are not looked at.
struct Text<'d, 'a> {
    decoded: &'d Decoded<'a>,
    selection: &'d Selection,
    out: String,
}

impl<'d, 'a> Text<'d, 'a> {
    fn of(decoded: &'d Decoded<'a>, selection: &'d Selection) -> String {
        let mut text = Self { decoded, selection, out: String::new() };
        text.head();
        // Who asks about an operation reads the tables' entries at the nodes that refer to them.
        if selection.operations.is_empty() {
            text.details();
            text.tables();
        }
        match (&decoded.program.roots, selection.profile) {
            (Roots::Collection { .. }, None) => text.profiles(),
            (_, profile) => text.operations(profile.unwrap_or(0)),
        }
        let selected = decoded.selected_nodes(selection);
        text.nodes(&selected);
        text.pool(&selected);
        text.out
    }

    fn line(&mut self, line: std::fmt::Arguments<'_>) {
        let _ = self.out.write_fmt(line);
        self.out.push('\n');
    }

    fn head(&mut self) {
        let (header, blob) = (*self.decoded.header(), &self.decoded.blob);
        let kind = if header.is_collection() { "collection" } else { "one profile" };
        let (generation, target) = (header.generation, header.generation.target());
        self.line(format_args!("generation {generation} ({kind}), {} bytes, names of {target}", blob.bytes().len()));
        self.line(format_args!(
            "type {:#06x}, {} nodes, {} operations",
            header.type_bits, header.node_count, header.op_count
        ));
    }

    fn details(&mut self) {
        let blob = &self.decoded.blob;
        let legacy = Legacy::of(blob);
        let class = legacy.profile_class.map_or("none".to_owned(), |class| class.to_string());
        self.line(format_args!(
            "the notes' names: maybe_flags {:#06x} (type), op_count {} (nodes), profile_class {class} (a guess)",
            legacy.maybe_flags, legacy.op_count
        ));
        self.line(format_args!("\nsections"));
        for section in &blob.layout().sections {
            self.line(format_args!("  {:08x}  {:7}  {}", section.range.start, section.range.len(), section.name));
        }
    }

    fn tables(&mut self) {
        let program = &self.decoded.program;
        let regexes = program.regexes.iter().map(|regex| regex.to_source()).collect::<Vec<_>>();
        let lists: [(&str, &[Vec<u8>]); 6] = [
            ("regexes", &regexes),
            ("variables", &program.variables.names),
            ("state flags", &program.states.names),
            ("profile flags, first table", &program.flags_a.names),
            ("profile flags, second table", &program.flags_b.names),
            ("messages", &program.messages),
        ];
        for (name, list) in lists.into_iter().filter(|(_, list)| !list.is_empty()) {
            self.line(format_args!("\n{name}"));
            for (index, entry) in list.iter().enumerate() {
                self.line(format_args!("  {index:3}  {}", quote(entry)));
            }
        }
        if !program.policies.is_empty() {
            self.line(format_args!("\nmessage-filter programs"));
            for (index, root) in program.policies.iter().enumerate() {
                self.line(format_args!("  {index:3}  node {}", root.0));
            }
        }
    }

    fn profiles(&mut self) {
        let Roots::Collection { profiles, .. } = &self.decoded.program.roots else { return };
        self.line(format_args!("\nprofiles (`--profile NAME` shows one)"));
        for (index, profile) in profiles.iter().enumerate() {
            let groups = self.decoded.operation_groups(index, self.selection).len();
            let base = profile.base.as_ref().map(|base| format!(", base {}", quote(base))).unwrap_or_default();
            let name = quote(&profile.name);
            self.line(format_args!("  {index:3}  {name}, type {:#06x}{base}, {groups} roots", profile.type_bits));
        }
    }

    fn operations(&mut self, profile: usize) {
        self.line(format_args!("\noperations by root"));
        for group in self.decoded.operation_groups(profile, self.selection) {
            let names = group.operations.iter().map(|&id| self.decoded.names.operation(id)).collect::<Vec<_>>();
            let answer = match self.decoded.blob.node(group.root) {
                Some(node @ Node::Terminal { .. }) => format!("  ; {}", self.decoded.node_line(&node)),
                _ => String::new(),
            };
            self.line(format_args!("  node {}{answer}", group.root));
            self.wrapped("      ", &names);
        }
    }

    /// Words in lines of at most [`WIDTH`] characters.
    fn wrapped(&mut self, indent: &str, words: &[impl AsRef<str>]) {
        let mut line = String::new();
        for word in words.iter().map(AsRef::as_ref) {
            if !line.is_empty() && indent.len() + line.len() + 1 + word.len() > WIDTH {
                self.line(format_args!("{indent}{line}"));
                line.clear();
            }
            if !line.is_empty() {
                line.push(' ');
            }
            line.push_str(word);
        }
        self.line(format_args!("{indent}{line}"));
    }

    /// What is said behind a node whose line holds a number for it: patterns, regexes, sets; the beginning where that is long.
    fn note(&self, argument: Argument) -> String {
        let Some(line) = self.decoded.argument_line(argument) else { return String::new() };
        match line.char_indices().nth(NOTE) {
            Some((end, _)) => format!("  ; {}…", line.get(..end).unwrap_or_default()),
            None => format!("  ; {line}"),
        }
    }

    fn nodes(&mut self, selected: &[bool]) {
        self.line(format_args!("\nnodes"));
        // Many nodes share a pattern.
        let mut notes: HashMap<Argument, String> = HashMap::new();
        for (index, node) in self.decoded.blob.nodes().enumerate() {
            if !selected.get(index).copied().unwrap_or(false) {
                continue;
            }
            let line = self.decoded.node_line(&node);
            let note = match self.decoded.program.nodes.get(index) {
                Some(&ProgramNode::Test { argument, .. }) => {
                    notes.entry(argument).or_insert_with(|| self.note(argument)).as_str()
                }
                _ => "",
            };
            let line = format!("  {index:5}  {line}{note}");
            self.line(format_args!("{line}"));
        }
    }

    fn pool(&mut self, selected: &[bool]) {
        self.line(format_args!("\npool"));
        for record in self.decoded.selected_records(self.selection, selected) {
            let (index, name) = (record.index, record.kind.name());
            let value = self.decoded.record_line(record);
            let length = record.range.len();
            let line = format!("  {index:#6x}  {:08x}  {length:5}  {name} {value}", record.range.start);
            self.line(format_args!("{}", line.trim_end()));
        }
    }
}
