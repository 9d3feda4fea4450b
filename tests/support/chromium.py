"""Debian's Chromium, driven by Selenium, with a virtual authenticator where a test wants one."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from selenium import webdriver
from selenium.webdriver.chrome.options import Options
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By
from selenium.webdriver.common.virtual_authenticator import VirtualAuthenticatorOptions
from selenium.webdriver.support.ui import WebDriverWait

from tests.support import needs

SECONDS = 30
"""A bound for a machine under load."""


class Chromium:
    """A browser window: ``open`` addresses, ``fill`` fields, ``press`` buttons, read texts."""

    def __init__(self, driver: Any) -> None:
        self.driver = driver

    def open(self, address: str) -> None:
        self.driver.get(address)

    def fill(self, **fields: str) -> None:
        for name, value in fields.items():
            found = self.driver.find_element(By.CSS_SELECTOR, f"input[name='{name}']:not([type='hidden'])")
            found.clear()
            found.send_keys(value)

    def press(self, button: str, then: str) -> None:
        """Press a button, and wait for an element of the page that comes: its CSS selector."""
        self.driver.find_element(By.ID, button).click()
        self.wait(then)

    def wait(self, selector: str) -> None:
        WebDriverWait(self.driver, SECONDS).until(
            lambda driver: driver.find_elements(By.CSS_SELECTOR, selector), self.driver.page_source
        )

    def text(self, selector: str) -> str:
        return str(self.driver.find_element(By.CSS_SELECTOR, selector).get_attribute("textContent")).strip()

    def attribute(self, selector: str, name: str) -> str:
        return str(self.driver.find_element(By.CSS_SELECTOR, selector).get_attribute(name))

    def has(self, selector: str) -> bool:
        return bool(self.driver.find_elements(By.CSS_SELECTOR, selector))

    def authenticator(self) -> None:
        """Plug in a security key whose user is always there, and verified."""
        options = VirtualAuthenticatorOptions()
        options.is_user_verified = True
        options.has_user_verification = True
        options.has_resident_key = True
        self.driver.add_virtual_authenticator(options)

    def complaints_of_policy(self) -> list[str]:
        """What the browser did not load or run for our own content security policy."""
        return [str(each["message"]) for each in self.driver.get_log("browser") if "Content Security Policy" in each["message"]]


@contextlib.contextmanager
def chromium(folder: Path, *arguments: str) -> Iterator[Chromium]:
    """A browser with a profile of its own; skipped, or failed in CI, where there is none on this machine."""
    options = Options()
    options.binary_location = needs.program("chromium")
    for argument in ("--headless=new", "--no-sandbox", "--disable-dev-shm-usage", f"--user-data-dir={folder}", *arguments):
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    driver = webdriver.Chrome(options=options, service=Service(needs.program("chromedriver")))
    try:
        yield Chromium(driver)
    finally:
        driver.quit()
