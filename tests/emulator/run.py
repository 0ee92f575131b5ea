#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Runs the tests of vod-emulator and vod-sign:
run.py VOD-EMULATOR VOD-SIGN VECTORS [unittest arguments]"""

import os
import sys
import unittest

if __name__ == "__main__":
    if len(sys.argv) < 4:
        sys.exit(__doc__)
    here = os.path.dirname(os.path.abspath(__file__))
    sys.dont_write_bytecode = True
    sys.path.insert(0, here)
    import test_sign
    import vodwire

    vodwire.Emulator.binary = os.path.abspath(sys.argv[1])
    test_sign.VOD_SIGN = os.path.abspath(sys.argv[2])
    test_sign.VECTORS = os.path.abspath(sys.argv[3])
    arguments = sys.argv[4:]
    if not [a for a in arguments if not a.startswith("-")]:
        suite = unittest.TestLoader().discover(here)
        verbosity = 2 if "-v" in arguments else 1
        result = unittest.TextTestRunner(verbosity=verbosity).run(suite)
        sys.exit(not result.wasSuccessful())
    unittest.main(module=None, argv=["run.py", *arguments])
