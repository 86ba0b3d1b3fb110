"""Train models under the same budget and compare them: `tools/model.py compare`."""

from __future__ import annotations

import argparse

from semseg.analysis import options
from semseg.config.options import add_options, given
from semseg.system.wording import for_people


def add_compare(commands: argparse._SubParsersAction) -> None:
    parser = commands.add_parser(
        "compare",
        help="train several configs under the same budget on the same data, and compare them on one page",
        description=(
            "Train each config under the same budget, evaluate each, and write a page and tables: learning curves, IoU "
            "per class with intervals, parameters, CPU latency, peak memory, and the same pictures predicted by each. "
            "The same command continues a comparison that was interrupted, and repeats failed runs; what is finished "
            "is kept. Several machines that share the folder take different runs: start the same command on each."
        ),
    )
    parser.add_argument("configs", nargs="+", metavar="CONFIG", help="config files, or names of shipped configs")
    add_options(parser, options.ComparisonOptions)
    parser.set_defaults(run=_run_compare)


def _run_compare(args: argparse.Namespace) -> int:
    from semseg import compat

    compat.repair()  # before the import of MMSegmentation, which would print warnings
    from semseg.analysis.comparison.figures import collect_figures, describe_uneven
    from semseg.analysis.comparison.plan import make_plan
    from semseg.analysis.comparison.runs import check_same_comparison, run_comparison
    from semseg.analysis.comparison.tables import write_tables
    from semseg.analysis.report.comparison_page import write_page
    from semseg.checks.gate import check_before_run

    plan = make_plan(args.configs, options.ComparisonOptions(**given([options.ComparisonOptions], args)))
    check_same_comparison(plan)
    for step in ("train", "test"):
        check_before_run(plan.models[0].cfg, step)
    outcome = run_comparison(plan, lambda line: print(line, flush=True))
    figures = collect_figures(plan)
    if figures:
        for path in (*write_tables(plan, figures, outcome.failed), write_page(plan, figures, *outcome)):
            print(path)
        for sentence in describe_uneven(plan, figures):
            print(f"warning: {sentence}")
    for title, host in outcome.elsewhere.items():
        print(f"not finished: {title}, on {host or 'another machine'}")
    for title, fault in outcome.failed.items():
        print(f"failed: {title}: {for_people(fault)}")
    return 1 if outcome.failed else 0
