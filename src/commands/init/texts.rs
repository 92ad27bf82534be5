//! The stage files of a new project, each with a comment that says why, for a person to change.

pub(super) const PROFILE: &str = r#"# What each column is like, and the schema that requests are checked against.
kind = "profile"

[inputs]
table = "data.table"
"#;

pub(super) const SPLIT: &str = r#"# Each row goes to one side, by its identity and the seed alone: a row that is added moves no other.
kind = "split"
# Nothing is learned from a table that is not what it should be.
after = ["validate"]

[inputs]
table = "data.table"

[params]
train = 0.6
validation = 0.2
test = 0.2
"#;

pub(super) const TRAIN: &str = r#"# Variants are trained side by side from the same rows; `evaluate` compares them.
kind = "train"

[inputs]
train = "split.train"

[params]
# Rows of the rarer class weigh as much in all as those of the other.
class_weight = "balanced"

# Few parameters, coefficients that can be read.
[[variant]]
name = "logistic"
params = { learner = "logistic_regression", C = 1.0 }

# Finds interactions that a linear model cannot.
[[variant]]
name = "forest"
params = { learner = "random_forest", n_estimators = 100, max_depth = 8, min_samples_leaf = 10 }
"#;

pub(super) const TRAIN_NUMBER: &str = r#"# Variants are trained side by side from the same rows; `evaluate` compares them.
kind = "train"

[inputs]
train = "split.train"

# Few parameters, coefficients that can be read.
[[variant]]
name = "ridge"
params = { learner = "ridge", alpha = 1.0 }

# Finds interactions that a linear model cannot.
[[variant]]
name = "forest"
params = { learner = "random_forest", n_estimators = 100, max_depth = 12, min_samples_leaf = 5, max_features = "all" }
"#;

pub(super) const EVALUATE: &str = r#"# Every variant on the same rows. The threshold and the champion are chosen on the validation side;
# the test side only reports.
kind = "evaluate"

[inputs]
models = "train.model"  # all variants
validation = "split.validation"
test = "split.test"
train = "split.train"  # what can be said without a model is learned here

[params]
threshold = { rule = "f1" }
champion = "roc_auc"

# A gate that does not hold ends the run with exit code 3. Raise it to what you need.
[[params.gates]]
metric = "roc_auc"
min = 0.5
"#;

pub(super) const EVALUATE_NUMBER: &str = r#"# Every variant on the same rows. The champion is chosen on the validation side; the test side only
# reports.
kind = "evaluate"

[inputs]
models = "train.model"  # all variants
validation = "split.validation"
test = "split.test"
train = "split.train"  # what can be said without a model is learned here

[params]
champion = "rmse"

# A gate that does not hold ends the run with exit code 3. Raise it to what you need.
[[params.gates]]
metric = "r2"
min = 0.0
"#;

pub(super) const LOG: &str = r#"# The experiment record: every parameter, digest and metric, taken from the run itself.
kind = "log"
# Nothing is read from it, and its recipe belongs into the record.
after = ["profile"]

[inputs]
metrics = "evaluate.metrics"
"#;

pub(super) const PACKAGE: &str = r#"# All that is needed to predict, in one directory that proves itself.
kind = "package"

[inputs]
model = "evaluate.champion"
metrics = "evaluate.metrics"
schema = "profile.schema"
reference = "split.test"
experiment = "log.experiment"
"#;

pub(super) const SERVE: &str = r#"# The service that `pipeline run` launches at its end; `--no-serve` leaves it out.
kind = "serve"

[inputs]
package = "package.package"

[params]
host = "127.0.0.1"  # this machine alone
port = 8080
"#;
