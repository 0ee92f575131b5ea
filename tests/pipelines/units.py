# SPDX-License-Identifier: LGPL-2.1-or-later
"""What systemd would run for a unit, as far as the units of examples/systemd
go: continued lines, settings that add up, environment files that are read before
each command, %-specifiers, ${NAME} within a word and $NAME for many words."""

import os
import re
import shlex


def settings(path, wanted="[Service]"):
    """[(name, value)] of that section, in order."""
    with open(path, encoding="utf-8") as f:
        text = re.sub(r"\\\n\s*", " ", f.read())
    found, section = [], None
    for line in text.splitlines():
        line = line.strip()
        if line.startswith("["):
            section = line
        elif line and line[0] not in "#;" and section == wanted:
            name, value = line.split("=", 1)
            found.append((name.strip(), value.strip()))
    return found


class Unit:
    def __init__(self, path, specifiers, environment=None, replace=None):
        """@specifiers: letter -> text. @environment: what systemd itself sets,
        such as RUNTIME_DIRECTORY. @replace: texts of the unit that stand for
        what is not on this machine, such as /usr/bin/vod-resume."""
        self.specifiers = dict(specifiers)
        self.specifiers["%"] = "%"
        self.environment = dict(environment or {})
        self.settings = [(name, self.put(value, replace or {}))
                         for name, value in settings(path)]

    def put(self, value, replace):
        for old, new in replace.items():
            value = value.replace(old, new)
        return re.sub(r"%(.)", lambda m: self.specifiers[m[1]], value)

    def get(self, name):
        """The last value."""
        return [v for n, v in self.settings if n == name][-1]

    def all(self, name):
        return [v for n, v in self.settings if n == name]

    def variables(self):
        """As it is just before a command is run."""
        found = dict(self.environment)
        for value in self.all("Environment"):
            found.update(word.split("=", 1) for word in shlex.split(value))
        for path in self.all("EnvironmentFile"):
            try:
                with open(path.lstrip("-"), encoding="utf-8") as f:
                    lines = f.read().splitlines()
            except FileNotFoundError:
                if not path.startswith("-"):
                    raise
                continue
            for line in lines:
                if line.strip() and line.strip()[0] not in "#;":
                    name, value = line.split("=", 1)
                    found[name] = " ".join(shlex.split(value))
        return found

    def command(self, text):
        """(arguments, environment) of one line."""
        variables = self.variables()
        words = []
        for word in shlex.split(text):
            if re.fullmatch(r"\$[A-Za-z_]\w*", word):
                words += shlex.split(variables.get(word[1:], ""))
                continue
            words.append(re.sub(
                r"\$(?:\$|\{(\w+)\})",
                lambda m: variables.get(m[1], "") if m[1] else "$", word))
        return words, variables

    def commands(self, name):
        """Each line of @name, made when it is its turn."""
        for text in self.all(name):
            yield self.command(text)
