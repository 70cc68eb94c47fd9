//! What a blob consists of, for `golden_decodes.json`: buckets of the op table, nodes by kind, literals of the pool.

use indexmap::IndexMap;

use super::artifact::{BlobContents, Bucket, Literal, Literals, Nodes};
use crate::blob::{Decoded, Node, Selection};

/// Literals that a document holds; the count tells how many there are.
const LITERALS: usize = 256;
/// Characters of a literal.
const LITERAL_CHARS: usize = 200;
/// Bit of a terminal's flags that refuses (`spec/blob-format.md`).
const DENY: u32 = 1;

/// Summarizes the only profile of a blob, or the first of a collection.
pub(super) fn contents(decoded: &Decoded<'_>) -> BlobContents {
    let answer = |index: u16| match decoded.blob.node(index)? {
        Node::Terminal { flags, .. } => Some(answer_of(flags).to_owned()),
        _ => None,
    };
    let buckets = decoded.operation_groups(0, &Selection::default()).into_iter().map(|group| Bucket {
        node: group.root,
        answer: answer(group.root),
        operations: group.operations.iter().map(|id| decoded.names.operation(*id).into_owned()).collect(),
    });
    let mut nodes = Nodes::default();
    for node in decoded.blob.nodes() {
        let (count, name) = match node {
            Node::Test { filter, .. } => (&mut nodes.tests, decoded.names.filter(filter).into_owned()),
            Node::Terminal { flags, .. } => (&mut nodes.terminals, answer_of(flags).to_owned()),
            Node::Invalid(_) => (&mut nodes.invalid, "invalid".to_owned()),
        };
        *count += 1;
        *nodes.kinds.entry(name).or_insert(0) += 1;
    }
    nodes.kinds.sort_keys();
    let mut kinds = IndexMap::new();
    for record in &decoded.records {
        *kinds.entry(record.kind.name().to_owned()).or_insert(0) += 1;
    }
    kinds.sort_keys();
    let values = decoded.records.iter().map(|record| Literal {
        kind: record.kind.name().to_owned(),
        text: decoded.record_line(record).chars().take(LITERAL_CHARS).collect(),
        users: record.users,
    });
    let values = values.filter(|literal| !literal.text.is_empty()).take(LITERALS).collect();
    let sections = &decoded.blob.layout().sections;
    BlobContents {
        sections: sections.iter().map(|section| (section.name.to_owned(), section.range.len() as u64)).collect(),
        op_table: buckets.collect(),
        nodes,
        literals: Literals { count: decoded.records.len() as u64, kinds, values },
    }
}

fn answer_of(flags: u32) -> &'static str {
    if flags & DENY == DENY { "deny" } else { "allow" }
}
