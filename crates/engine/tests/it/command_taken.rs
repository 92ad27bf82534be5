//! What is taken of what a program leaves: its outputs, wherever and however it left them.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use crate::lab::Lab;
use crate::rights::is_done_without_rights;

#[test]
fn a_link_on_the_way_to_an_output_is_a_failure_and_nothing_is_moved() {
    let lab = Lab::new().stage("s", "");
    lab.write("data/out.txt", "the project's own");
    let data = lab.path("data").display().to_string();
    let made = [("deep/out.txt", "deep"), ("deep/", "deep"), ("deep/*.txt", "deep")];
    for (output, link) in made {
        let script = format!("rmdir deep; ln -s {data} deep");
        let text =
            format!("kind = \"command\"\n[params]\nshell = '{script}'\noutputs.out = \"{output}\"");
        lab.write("stages/s.toml", &text);
        let message = lab.run().expect("failed 1").failure("s").message.clone();
        let told = format!("its output `{output}` cannot be taken: `{link}` is a link\n");
        assert!(message.starts_with(&told), "{message}");
        assert_eq!(lab.read("data/out.txt"), "the project's own");
    }
}

#[test]
fn directories_that_a_program_made_read_only_are_taken_and_removed() {
    if is_done_without_rights(
        "command_taken::directories_that_a_program_made_read_only_are_taken_and_removed",
    ) {
        return;
    }
    let script = "mkdir -p $HOME/go/mod; touch $HOME/go/mod/x; chmod -R a-w $HOME/go; \
                  mkdir plots/sub; touch plots/sub/a deep/o; chmod 555 plots/sub plots; chmod 500 deep .";
    let text = format!(
        "kind = \"command\"\n[params]\ntools = [\"chmod\"]\nshell = '{script}'\n\
         outputs = {{ p = \"plots/\", o = \"deep/o\" }}"
    );
    let lab = Lab::new().stage("s", &text);
    lab.run().expect("ran 1");
    assert_eq!(fs::read_dir(lab.path("outputs/store/scratch")).unwrap().count(), 0);
    let left = lab.path("outputs/store/scratch/s1/go");
    fs::create_dir_all(left.join("deep")).unwrap();
    fs::write(left.join("deep/x"), "x").unwrap();
    for dir in [left.join("deep"), left] {
        fs::set_permissions(dir, fs::Permissions::from_mode(0o555)).unwrap();
    }
    lab.run().expect("cached 1");
    assert_eq!(fs::read_dir(lab.path("outputs/store/scratch")).unwrap().count(), 0);
}

#[test]
fn an_output_that_was_not_written_is_named_beside_what_was() {
    let text = "kind = \"command\"\n[params]\nshell = 'echo x > oút.txt'\noutputs.o = \"out.txt\"";
    let lab = Lab::new().stage("s", text);
    let ran = lab.run().expect("failed 1");
    let message = &ran.failure("s").message;
    assert!(
        message.starts_with("it did not write its output `out.txt`, and wrote `oút.txt`\n"),
        "{message}"
    );
}
