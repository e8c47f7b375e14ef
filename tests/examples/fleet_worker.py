"""A worker of the example's fleet for the test: its clock runs as fast as the sandbox's."""

from __future__ import annotations

import os

import tasks

from vtiger_async import ScaledClock

tasks.OPTIONS["clock"] = ScaledClock(
    float(os.environ["FLEET_FACTOR"]), epoch=float(os.environ["FLEET_EPOCH"])
)
broker = tasks.broker
broker.consumer_name = os.environ["FLEET_NAME"]
