import unittest


class T(unittest.TestCase):
    def setUp(self):
        self.values = [1, 2]

    def test_good(self):
        self.assertIn(1, self.values)

    def test_raises(self):
        with self.assertRaisesRegex(ValueError, "inv.*"):
            int("x")

    @unittest.skip("not today")
    def test_skipped(self): ...


suite = unittest.defaultTestLoader.loadTestsFromTestCase(T)
result = unittest.TestResult()
suite.run(result)
print(result.testsRun, len(result.failures), len(result.errors), result.skipped[0][1])
