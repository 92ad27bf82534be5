//! A matrix: what it leaves out, and how many variants it may give.

use crate::lab::Lab;

fn names(lab: &Lab) -> Vec<String> {
    lab.load().unwrap().stages.iter().map(|stage| stage.name.clone()).collect()
}

fn matrix(more: &str) -> Lab {
    // `band` has two parameters: `min` must not be above `max`.
    Lab::new()
        .stage("t", &format!("kind = \"band\"\nmatrix = {{ min = [1, 2], max = [2, 3] }}{more}"))
}

#[test]
fn excluded_combinations_are_left_out_and_the_others_keep_their_order() {
    let all = ["t@max=2-min=1", "t@max=2-min=2", "t@max=3-min=1", "t@max=3-min=2"];
    assert_eq!(names(&matrix("")), all);
    let lab = matrix("\nexclude = [{ min = 2, max = 2 }]");
    assert_eq!(names(&lab), [all[0], all[2], all[3]]);
    let lab = matrix("\nexclude = [{ min = 2.0, max = 2 }, { max = 3, min = 1 }]");
    assert_eq!(names(&lab), [all[0], all[3]]);
    assert_eq!(names(&matrix("\nexclude = [{ max = 3 }]")), all[..2]);
    matrix("\nexclude = [{ max = 3 }]").run().expect("ran 2");
}

#[test]
fn an_entry_that_excludes_nothing_is_a_mistake() {
    for (exclude, told) in [
        ("[{ min = 9 }]", "this excludes nothing: `min` is never 9; the matrix has 1, 2"),
        ("[{ mim = 1 }]", "the matrix has no parameter `mim`; did you mean `min`?"),
        ("[{}]", "expected parameters of the matrix with the values to leave out"),
        ("[3]", "expected parameters of the matrix with the values to leave out"),
        ("{ min = 1 }", "`exclude` must be a list of tables"),
        ("[{ min = 1 }, { min = 2 }]", "every variant of `t` is excluded"),
    ] {
        let mistakes = matrix(&format!("\nexclude = {exclude}")).mistakes();
        assert_eq!(mistakes.len(), 1, "{exclude}: {mistakes:?}");
        assert!(mistakes[0].starts_with("stages/t.toml:"), "{mistakes:?}");
        assert!(mistakes[0].ends_with(told), "{mistakes:?}");
    }
    let lab = Lab::new().stage("t", "kind = \"band\"\nexclude = [{ min = 1 }]");
    let told = "`exclude` leaves out parts of a `matrix`, and there is none";
    assert_eq!(lab.mistakes(), [format!("stages/t.toml:2: {told}")]);
}

#[test]
fn a_matrix_may_be_of_what_a_table_of_parameters_holds() {
    let text = |matrix: &str| {
        format!(
            "kind = \"command\"\n{matrix}\n[params]\noutputs.o = \"o\"\nenvironment.B = \"b\"\n\
             shell = 'echo $B $L2 $FAST > {{o}}'"
        )
    };
    let quoted = "exclude = [{ \"environment.L2\" = 1, \"environment.FAST\" = true }]\n\
                  matrix = { \"environment.L2\" = [0.1, 1], \"environment.FAST\" = [true, false] }";
    let bare = "exclude = [{ environment = { L2 = 1, FAST = true } }]\n\
                matrix.environment = { L2 = [0.1, 1], FAST = [true, false] }";
    let all = [
        "s@environment.FAST=true-environment.L2=0.1",
        "s@environment.FAST=false-environment.L2=0.1",
        "s@environment.FAST=false-environment.L2=1",
    ];
    for matrix in [quoted, bare] {
        let lab = Lab::new().stage("s", &text(matrix));
        assert_eq!(names(&lab), all, "{:?}", lab.mistakes());
        lab.run().expect("ran 3");
        assert_eq!(lab.read(&format!("outputs/{}/o", all[0])), "b 0.1 true\n");
        assert_eq!(lab.read(&format!("outputs/{}/o", all[2])), "b 1 false\n");
    }
    let lab = Lab::new().stage("s", &text("matrix.\"environment.a b\" = [1]"));
    assert!(lab.mistakes()[0].contains("`environment.a b` cannot name a variant"));
}

#[test]
fn a_variable_of_a_program_can_be_swept_by_numbers() {
    let text = "kind = \"command\"\n[params]\noutputs.o = \"o\"\nenvironment.L2 = \"1\"\n\
                shell = 'echo $L2 > {o}'";
    let mut lab = Lab::new().stage("s", text);
    lab.run().expect("ran 1");
    for (value, written) in [("0.1", "0.1\n"), ("10", "10\n"), ("true", "true\n")] {
        lab.request.set = vec![format!("s.environment.L2={value}")];
        lab.run().expect("ran 1");
        assert_eq!(lab.read("outputs/s/o"), written);
    }
    lab.request.set = vec!["s.environment.L2=1".to_owned()];
    lab.run().expect("cached 1");
}

#[test]
fn what_is_excluded_in_one_variant_is_excluded_in_all() {
    let lab =
        matrix("\nexclude = [{ min = 2 }]\n[[variant]]\nname = \"v\"\n[[variant]]\nname = \"w\"");
    assert_eq!(
        names(&lab),
        ["t@v-max=2-min=1", "t@v-max=3-min=1", "t@w-max=2-min=1", "t@w-max=3-min=1"]
    );
}

fn many(n: usize, more: &str) -> Lab {
    let values: Vec<_> = (0..n).map(|i| format!("\"{i}\"")).collect();
    let list = values.join(",");
    Lab::new()
        .stage("t", &format!("kind = \"concat\"\nmatrix.a = [{list}]\nmatrix.b = [{list}]{more}"))
}

#[test]
fn a_matrix_beyond_the_cap_tells_how_many_variants_it_gives_and_where_to_raise_it() {
    let hint = "leave some out with `exclude`, or raise `max_variants` in pipeline.toml";
    let told = format!("stages/t.toml:2: the matrix gives 289 variants of `t`, above 256; {hint}");
    assert_eq!(many(17, "").mistakes(), [told]);
    // 289 without two rows of 17 each.
    let lab = many(17, "\nexclude = [{ a = \"1\" }, { a = \"2\" }]");
    assert!(!lab.mistakes().iter().any(|told| told.contains("289")), "{:?}", lab.mistakes());
    let mut lab = matrix("");
    lab.request.set = vec!["max_variants=3".to_owned()];
    assert!(lab.mistakes()[0].contains("the matrix gives 4 variants of `t`, above 3"));
    lab.request.set = vec!["max_variants=0".to_owned()];
    assert!(lab.mistakes()[0].starts_with("--set:1: expected how many variants a matrix may give"));
}

#[test]
fn a_matrix_of_millions_is_counted_and_not_made() {
    let lab = many(1500, "");
    let told = lab.mistakes();
    assert!(told[0].contains("the matrix gives 2250000 variants of `t`, above 256"), "{told:?}");
}
