//! A tree reads back as it was written, rows walk alike alone and abreast, and what could not be
//! walked is refused.

use proptest::prelude::*;

use super::*;
use crate::ml::learn::abreast;
use crate::ml::learn::document::TreeDocument;

const WIDTH: usize = 3;

/// Any tree over `WIDTH` features: splits by numbers and by categories, to any depth.
fn trees() -> impl Strategy<Value = Vec<Node>> {
    let leaf = (-5.0..5.0_f64, 0..9_u64).prop_map(|(value, rows)| vec![Node::leaf(value, rows)]);
    leaf.prop_recursive(5, 60, 2, |child| {
        let ask = prop_oneof![
            3 => (-3.0..3.0_f64).prop_map(Ask::AtMost),
            1 => proptest::collection::btree_set(0..200_u32, 0..5)
                .prop_map(|codes| Ask::OneOf(codes.into_iter().collect())),
        ];
        (ask, 0..WIDTH as u16, any::<bool>(), child.clone(), child).prop_map(
            |(ask, feature, missing_left, left, right)| {
                let shifted = |nodes: Vec<Node>, by: usize| {
                    nodes.into_iter().map(move |mut node| {
                        if node.ask != Ask::Leaf {
                            node.right += by as u32;
                        }
                        node
                    })
                };
                let at = 1 + left.len();
                let root =
                    Node { ask, feature, missing_left, right: at as u32, value: 0.5, rows: 3 };
                let mut nodes = vec![root];
                nodes.extend(shifted(left, 1));
                nodes.extend(shifted(right, at));
                nodes
            },
        )
    })
}

fn numbers() -> impl Strategy<Value = f64> {
    prop_oneof![
        4 => -4.0..4.0_f64,
        2 => (0..210_u32).prop_map(f64::from),
        1 => Just(f64::NAN),
        1 => prop_oneof![Just(-1e100), Just(1e100), Just(-0.0)],
    ]
}

proptest! {
    #[test]
    fn rows_abreast_reach_the_leaves_that_they_reach_alone(
        trees in proptest::collection::vec(trees(), 1..4),
        rows in proptest::collection::vec(numbers(), 0..WIDTH * 50),
    ) {
        let trees: Vec<Tree> =
            trees.into_iter().map(|nodes| Tree::new(nodes, WIDTH).unwrap()).collect();
        let rows = &rows[..rows.len() / WIDTH * WIDTH];
        let mut sums = vec![0.25; rows.len() / WIDTH];
        abreast::add_values(&trees, rows, WIDTH, &mut sums);
        let alone = |row: &[f64]| trees.iter().fold(0.25, |sum, tree| sum + tree.value(row));
        let alone: Vec<f64> = rows.chunks(WIDTH).map(alone).collect();
        prop_assert_eq!(sums, alone);
    }

    #[test]
    fn a_tree_reads_back_as_it_was_written(nodes in trees()) {
        let tree = Tree::new(nodes.clone(), WIDTH).unwrap();
        prop_assert_eq!(&tree.nodes().collect::<Vec<_>>(), &nodes);
        let text = serde_json::to_string(&TreeDocument::of(&tree)).unwrap();
        let document: TreeDocument = serde_json::from_str(&text).unwrap();
        prop_assert_eq!(document.into_tree(WIDTH).unwrap(), tree);
    }
}

/// A chain of splits, each with a leaf on its left: as deep as a tree of so many leaves can be.
fn chain(n_leaves: u32) -> Tree {
    let mut nodes = Vec::new();
    for at in 0..n_leaves - 1 {
        let ask = Ask::AtMost(f64::from(at));
        nodes.push(Node { ask, right: 2 * at + 2, ..Node::leaf(0.5, 1) });
        nodes.push(Node::leaf(f64::from(at), 1));
    }
    nodes.push(Node::leaf(f64::from(n_leaves), 1));
    Tree::new(nodes, WIDTH).unwrap()
}

#[test]
fn trees_at_the_edge_of_what_fits_in_a_word_find_every_leaf() {
    for n_leaves in [1, 2, 63, 64, 65, 128] {
        let tree = chain(n_leaves);
        assert_eq!(tree.n_leaves(), n_leaves as usize);
        let n_rows = n_leaves.next_multiple_of(16) as usize;
        let rows: Vec<f64> = (0..n_rows * WIDTH).map(|i| (i / WIDTH) as f64).collect();
        let mut sums = vec![0.0; n_rows];
        abreast::add_values(std::slice::from_ref(&tree), &rows, WIDTH, &mut sums);
        let alone: Vec<f64> = rows.chunks(WIDTH).map(|row| tree.value(row)).collect();
        assert_eq!(sums, alone, "{n_leaves} leaves");
    }
}

#[test]
fn what_says_nothing_is_not_written() {
    let leaf = |value| Node::leaf(value, 0);
    let root = Node { ask: Ask::AtMost(1.5), right: 2, ..leaf(0.5) };
    let tree = Tree::new(vec![root, leaf(0.0), leaf(1.0)], 1).unwrap();
    let text = serde_json::to_string(&TreeDocument::of(&tree)).unwrap();
    let expected = r#"{"feature":[0,null,null],"right":[2,null,null],"threshold":[1.5,null,null],"value":[0.5,0.0,1.0]}"#;
    assert_eq!(text, expected);
}

#[test]
fn a_tree_that_could_not_be_walked_is_refused() {
    let leaf = || Node::leaf(0.0, 0);
    let refuse = |root: Node| Tree::new(vec![root, leaf(), leaf()], 2).unwrap_err();
    let split = |ask| Node { ask, right: 2, ..leaf() };
    assert_eq!(Tree::new(vec![], 2).unwrap_err(), "a tree has no node");
    let wrong = refuse(Node { feature: 2, ..split(Ask::AtMost(0.0)) });
    assert_eq!(wrong, "node 0 asks for feature 2 of 2");
    for right in [0, 1, 3] {
        let wrong = refuse(Node { right, ..split(Ask::AtMost(0.0)) });
        assert_eq!(wrong, format!("node 0 has no such right child: {right}"));
    }
    let wrong = refuse(split(Ask::AtMost(f64::NAN)));
    assert_eq!(wrong, "node 0 has a threshold that is no number");
    assert_eq!(refuse(split(Ask::OneOf(vec![2, 1]))), "the categories of node 0 do not ascend");
    let wrong = refuse(split(Ask::OneOf(vec![MAX_CODE + 1])));
    assert_eq!(wrong, "node 0 asks for a category above 4095");
}
