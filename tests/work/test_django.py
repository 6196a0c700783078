"""
A pool in a Django project: the page's program, in a project with a database, as a user has it.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from tests.document_runner import shown_code
from tests.processes import ROOT, run

pytest.importorskip("django", reason="Django is not installed (pip install django)")

PAGE = ROOT / "docs" / "pools.rst"
SECONDS = 90.0  # that a program may take on a busy machine

SETTINGS = """
INSTALLED_APPS = ["shop"]
DATABASES = {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": "shop.sqlite3"}}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
USE_TZ = True
"""

MODELS = """
from django.db import models

class Order(models.Model):
    total = models.IntegerField(default=0)

class Line(models.Model):
    order = models.ForeignKey(Order, models.CASCADE, related_name="lines")
    price = models.IntegerField()
    count = models.IntegerField()
"""

FILL = """
import django
django.setup()
from django.core.management import call_command
call_command("migrate", run_syncdb=True, verbosity=0)
from shop.models import Order
order = Order.objects.create()
for count in (1, 2, 3):
    order.lines.create(price=10, count=count)
"""

NOT_SET_UP = """
import django
from twisted.internet import task
from twisted.internet.defer import gatherResults
from txremote import run_async
from txremote.work import pool_from_string

django.setup()
from shop.models import Order

async def main(reactor):
    order = await run_async(Order.objects.get, pk=1, use_thread=True)
    for init in (":init=django.setup", ""):
        pool = pool_from_string("processes:1" + init)
        await pool.start()
        try:
            jobs = [run_async(getattr, order, "total", pool=pool) for _ in range(20)]
            print(set(await gatherResults(jobs, consumeErrors=True)))
        except Exception as problem:
            print(problem.subFailure.getErrorMessage())
        await pool.stop()

if __name__ == "__main__":
    task.react(main)
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    jobs, program = shown_code(PAGE, "Use the models of a Django project")
    (tmp_path / "shop").mkdir()
    for name, text in {
        "settings.py": SETTINGS,
        "shop/__init__.py": "",
        "shop/models.py": MODELS,
        "shop/jobs.py": jobs,
        "program.py": program,
        "fill.py": FILL,
        "not_set_up.py": NOT_SET_UP,
    }.items():
        (tmp_path / name).write_text(text)
    return tmp_path


def test_jobs_work_with_the_models_of_a_project(project: Path) -> None:
    """The first one, by primary key; an object goes as a copy. Without the setup that is told."""
    env = {**os.environ, "DJANGO_SETTINGS_MODULE": "settings", "PYTHONPATH": str(ROOT)}

    def ran(name: str) -> str:
        status, out, err = run(sys.executable, name, cwd=project, env=env, timeout=SECONDS)
        assert (status, err) == (0, "")
        return str(out)

    ran("fill.py")
    assert ran("program.py") == "1 of 3\n2 of 3\n3 of 3\ntotal 60\n"
    set_up, not_set_up = ran("not_set_up.py").splitlines()
    assert set_up == "{60}"
    assert "cannot be made in its process" in not_set_up
    assert "AppRegistryNotReady" in not_set_up
