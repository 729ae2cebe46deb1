"""`arfc evaluate`: how good a model is on rows its fit has not used."""

from __future__ import annotations

from pathlib import Path

import click

from arfc.cli.options import (
    PATH,
    column_option,
    features_argument,
    labels_option,
    model_option,
    open_other,
    overwrite_option,
    pairs_column_option,
    pairs_option,
    print_json,
    queries_column_option,
    to_json,
)


@click.command("evaluate")
@features_argument
@model_option
@pairs_option
@labels_option
@click.option("--queries", type=PATH, help="Features of queries that ask FEATURES; needs --qrels.")
@click.option(
    "--qrels",
    type=PATH,
    help="What is relevant to the queries: .tsv with query-id, corpus-id, score (above 0 is relevant), as in BEIR. "
    "Ids are row numbers from 0, unless the next two options name them.",
)
@click.option("--query-ids", type=PATH, help="Ids of the queries, one per line.")
@click.option("--ids", type=PATH, help="Ids of FEATURES, one per line.")
@click.option("--json", "json_path", metavar="FILE", help="Write the scores to FILE as JSON; - is standard output.")
@click.option("--report", "report_path", type=PATH, metavar="FILE", help="Write a page with charts to FILE (.html).")
@column_option
@pairs_column_option
@queries_column_option
@overwrite_option
def evaluate_command(
    features: Path,
    model_path: Path,
    pairs: Path | None,
    labels: Path | None,
    queries: Path | None,
    qrels: Path | None,
    query_ids: Path | None,
    ids: Path | None,
    json_path: str | None,
    report_path: Path | None,
    column: str | None,
    pairs_column: str | None,
    queries_column: str | None,
    overwrite: bool,
) -> None:
    """Score a model on FEATURES at a ladder of sizes, next to KLT and plain truncation.

    Rows that the fit has used, and rows nearly equal to them, are left out. The scores are recall@10, @1 and @100
    against exact search on the originals; with --pairs also R@1, R@5 and R@10 of the partner, with --labels R@1 and
    mAP@R by class. With --queries and --qrels also nDCG@10 and recall@100 among all rows: the fit may have used these,
    as long as it has not used the queries, and queries that it has used are left out.
    """
    from arfc.io import check_file_output, open_features, text_writer

    target = None if json_path in (None, "-") else Path(json_path or "")
    if target is not None:
        check_file_output(target, overwrite=overwrite)
    if report_path is not None:
        from arfc.evaluate.report import check_report

        check_file_output(report_path, overwrite=overwrite)
        check_report()
        if target is not None and target.resolve() == report_path.resolve():
            raise click.UsageError(f"--json and --report must name two files, got {target} for both")
    opened = open_features(features, column=column)
    partners = open_other(pairs, name="pairs", column=pairs_column, usual=column)
    asking = open_other(queries, name="queries", column=queries_column, usual=column)

    from tqdm import tqdm

    from arfc.compressor import Compressor
    from arfc.evaluate import evaluate, format_table

    model = Compressor.load(model_path)
    with tqdm(unit=" sizes", disable=None, leave=False) as bar:  # None: shown on a terminal only

        def report(done: int, total: int) -> None:
            bar.total = total
            bar.update(done - bar.n)

        result = evaluate(
            model,
            opened,
            pairs=partners,
            labels=labels,
            queries=asking,
            qrels=qrels,
            query_ids=query_ids,
            ids=ids,
            report=report,
        )
    if target is not None:
        text_writer(target, to_json(result) + "\n", overwrite=overwrite)
    if report_path is not None:
        from arfc.evaluate.report import report_page

        page = report_page(result, features=features.name, model=model_path.resolve().name, facts=model.facts)
        text_writer(report_path, page, overwrite=overwrite)
    if json_path == "-":
        print_json(result)
    else:
        click.echo(format_table(result))
