//! The tree of one trace: who is whose parent, what is broken, and the numbers that follow.

use std::cmp::Ordering;
use std::ops::Range;

use super::{TraceError, TreeInput};

/// The forest of one trace over its rows, numbered from 0 ("nodes").
///
/// One value serves many traces: its buffers are kept. Top spans are the children of the *ground*, a node of its own
/// behind the last row, with depth 0 and nested-set number 0; so one rule numbers top spans and children alike.
#[derive(Debug, Default)]
pub(super) struct Tree {
    base: usize,
    len: usize,
    orphan: Vec<bool>,
    cycle: Vec<bool>,
    depth: Vec<i32>,
    left: Vec<i32>,
    descendants: Vec<i32>,
    top: Vec<u32>,
    parent: Vec<u32>,
    /// Where each node's children begin in `children`; the next node's beginning is their end.
    first_child: Vec<u32>,
    children: Vec<u32>,
    /// Every node after its parent, the ground first.
    top_down: Vec<u32>,
    /// Nodes with a span id, by that id.
    ids: Vec<(u64, u32)>,
    /// Nodes that name a parent other than themselves, by its id.
    named: Vec<(u64, u32)>,
    by_time: Vec<(Option<i64>, u64, u32)>,
    walks: Vec<u32>,
}

impl Tree {
    /// Reads the tree of the trace that lies in `rows`.
    pub(super) fn build(&mut self, input: &TreeInput<'_>, rows: Range<usize>) -> Result<(), TraceError> {
        // Nested-set numbers run to twice the number of spans, and the ground needs a number too.
        if rows.len() >= (i32::MAX / 2) as usize {
            return Err(TraceError::TooLarge(rows.len()));
        }
        self.base = rows.start;
        self.len = rows.len();
        self.link(input);
        self.cut_cycles(input);
        self.list_children(input);
        self.number();
        Ok(())
    }

    /// The tree of some of its nodes: each hangs from the nearest one above it that is kept. The others are tops without
    /// children.
    pub(super) fn keeping(&self, input: &TreeInput<'_>, keep: impl Fn(u32) -> bool) -> Self {
        let ground = self.ground();
        let mut nearest = vec![ground; self.len + 1];
        let mut kept = Self { base: self.base, len: self.len, parent: vec![ground; self.len], ..Self::default() };
        for &node in &self.top_down[1..] {
            let above = nearest[self.parent[node as usize] as usize];
            if keep(node) {
                kept.parent[node as usize] = above;
                nearest[node as usize] = node;
            } else {
                nearest[node as usize] = above;
            }
        }
        kept.list_children(input);
        kept.number();
        kept
    }

    /// The row of a node.
    pub(super) fn row(&self, node: u32) -> usize {
        self.base + node as usize
    }

    /// The nodes of the trace in row order.
    pub(super) fn nodes(&self) -> Range<u32> {
        0..self.len as u32
    }

    /// The top spans in order.
    pub(super) fn tops(&self) -> &[u32] {
        self.children(self.ground())
    }

    /// The children of a node in order.
    pub(super) fn children(&self, node: u32) -> &[u32] {
        let node = node as usize;
        &self.children[self.first_child[node] as usize..self.first_child[node + 1] as usize]
    }

    /// The top span above a node, or the node itself.
    pub(super) fn top(&self, node: u32) -> u32 {
        self.top[node as usize]
    }

    /// The number of spans from the top span down to a node, both included.
    pub(super) fn depth(&self, node: u32) -> i32 {
        self.depth[node as usize]
    }

    /// The nested-set numbers of a node, from 1.
    pub(super) fn left_right(&self, node: u32) -> (i32, i32) {
        let left = self.left[node as usize];
        (left, left + 2 * self.descendants(node) + 1)
    }

    /// The number of spans below a node.
    pub(super) fn descendants(&self, node: u32) -> i32 {
        self.descendants[node as usize]
    }

    /// Whether a node names a parent that the trace does not have.
    pub(super) fn is_orphan(&self, node: u32) -> bool {
        self.orphan[node as usize]
    }

    /// Whether a node lies on a parent cycle.
    pub(super) fn is_on_cycle(&self, node: u32) -> bool {
        self.cycle[node as usize]
    }

    /// Every node with its parent (`None` for a top span), after all nodes below it.
    pub(super) fn bottom_up(&self) -> impl Iterator<Item = (u32, Option<u32>)> {
        let parent = |node: u32| Some(self.parent[node as usize]).filter(|&parent| parent != self.ground());
        self.top_down[1..].iter().rev().map(move |&node| (node, parent(node)))
    }

    fn ground(&self) -> u32 {
        self.len as u32
    }

    /// Finds parents by merging sorted span ids with sorted parent ids.
    ///
    /// Sorted rather than hashed: no input makes it slow, memory is read in order, and emptying the buffers costs
    /// nothing however large a trace has been.
    fn link(&mut self, input: &TreeInput<'_>) {
        let (base, ground) = (self.base, self.ground());
        refill(&mut self.orphan, self.len, false);
        refill(&mut self.parent, self.len, ground);
        self.ids.clear();
        self.named.clear();
        for node in self.nodes() {
            let row = self.row(node);
            let (id, parent) = (input.id(row), input.parent(row));
            self.ids.extend(id.map(|id| (prefix(id), node)));
            if parent.is_some() && parent == id {
                self.parent[node as usize] = node;
            } else {
                self.named.extend(parent.map(|id| (prefix(id), node)));
            }
        }
        let id = |node: u32| input.span_id.value(base + node as usize);
        let named = |node: u32| input.parent_id.value(base + node as usize);
        sort_by_text(&mut self.ids, id);
        sort_by_text(&mut self.named, named);

        let mut ids = self.ids.iter().peekable();
        for &(wanted_prefix, node) in &self.named {
            let wanted = named(node);
            let is_before = |&&(prefix, other): &&(u64, u32)| {
                prefix < wanted_prefix || (prefix == wanted_prefix && id(other) < wanted)
            };
            while ids.next_if(is_before).is_some() {}
            match ids.peek() {
                Some(&&(prefix, first)) if prefix == wanted_prefix && id(first) == wanted => {
                    self.parent[node as usize] = first;
                }
                _ => self.orphan[node as usize] = true,
            }
        }
    }

    /// Follows parents from every node not yet seen: a walk that meets itself has found a cycle.
    fn cut_cycles(&mut self, input: &TreeInput<'_>) {
        let ground = self.ground();
        refill(&mut self.cycle, self.len, false);
        refill(&mut self.walks, self.len, ground);
        for walk in self.nodes() {
            let mut node = walk;
            while node != ground && self.walks[node as usize] == ground {
                self.walks[node as usize] = walk;
                node = self.parent[node as usize];
            }
            // A walk that ends on an older walk's node comes to what that walk came to.
            if node != ground && self.walks[node as usize] == walk {
                self.cut_cycle(input, node);
            }
        }
    }

    fn cut_cycle(&mut self, input: &TreeInput<'_>, entry: u32) {
        let mut earliest = entry;
        let mut node = entry;
        loop {
            self.cycle[node as usize] = true;
            if input.order(self.row(node), self.row(earliest)) == Ordering::Less {
                earliest = node;
            }
            node = self.parent[node as usize];
            if node == entry {
                break;
            }
        }
        self.parent[earliest as usize] = self.ground();
    }

    /// Counts children, then deals the nodes out in time order, so that every list of children is in order.
    fn list_children(&mut self, input: &TreeInput<'_>) {
        let base = self.base;
        // The keys decide all but ids that begin alike; copied out, they spare the sort most of its memory accesses.
        self.by_time.clear();
        let keys = (0..self.len as u32).map(|node| {
            let row = base + node as usize;
            (input.start(row), input.id(row).map_or(0, prefix), node)
        });
        self.by_time.extend(keys);
        self.by_time.sort_unstable_by(|a, b| {
            let by_key = (a.0, a.1).cmp(&(b.0, b.1));
            by_key.then_with(|| input.order(base + a.2 as usize, base + b.2 as usize))
        });

        // Counts stand two places on, so their sums are beginnings one place on. Dealing moves each beginning to its
        // end, which is the next node's beginning.
        refill(&mut self.first_child, self.len + 3, 0);
        for &parent in &self.parent {
            self.first_child[parent as usize + 2] += 1;
        }
        for node in 1..self.first_child.len() {
            self.first_child[node] += self.first_child[node - 1];
        }
        refill(&mut self.children, self.len, 0);
        for &(_, _, node) in &self.by_time {
            let place = &mut self.first_child[self.parent[node as usize] as usize + 1];
            self.children[*place as usize] = node;
            *place += 1;
        }
    }

    fn number(&mut self) {
        let ground = self.ground();
        self.top_down.clear();
        self.top_down.push(ground);
        let mut next = 0;
        while next < self.top_down.len() {
            let node = self.top_down[next] as usize;
            let children = self.first_child[node] as usize..self.first_child[node + 1] as usize;
            self.top_down.extend_from_slice(&self.children[children]);
            next += 1;
        }

        refill(&mut self.descendants, self.len + 1, 0);
        for &node in self.top_down[1..].iter().rev() {
            let below = self.descendants[node as usize];
            self.descendants[self.parent[node as usize] as usize] += below + 1;
        }

        refill(&mut self.depth, self.len + 1, 0);
        refill(&mut self.left, self.len + 1, 0);
        refill(&mut self.top, self.len + 1, ground);
        for &node in &self.top_down {
            let node = node as usize;
            let mut left = self.left[node] + 1;
            for &child in &self.children[self.first_child[node] as usize..self.first_child[node + 1] as usize] {
                self.top[child as usize] = if node == ground as usize { child } else { self.top[node] };
                let child = child as usize;
                self.depth[child] = self.depth[node] + 1;
                self.left[child] = left;
                left += 2 * (self.descendants[child] + 1);
            }
        }
    }
}

/// Sorts nodes by a text of each, then by row; the text's first eight bytes stand beside the node as a number, so that
/// most comparisons touch no text.
fn sort_by_text<'a>(nodes: &mut [(u64, u32)], text: impl Fn(u32) -> &'a str) {
    nodes.sort_unstable_by(|&(a_prefix, a), &(b_prefix, b)| {
        a_prefix.cmp(&b_prefix).then_with(|| text(a).cmp(text(b))).then(a.cmp(&b))
    });
}

/// The first eight bytes as a number that sorts as they do; shorter text is filled up with zeros.
fn prefix(text: &str) -> u64 {
    let mut bytes = [0; 8];
    let len = text.len().min(8);
    bytes[..len].copy_from_slice(&text.as_bytes()[..len]);
    u64::from_be_bytes(bytes)
}

fn refill<T: Clone>(values: &mut Vec<T>, len: usize, value: T) {
    values.clear();
    values.resize(len, value);
}
