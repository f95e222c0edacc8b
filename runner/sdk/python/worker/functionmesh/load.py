"""Finds user code: a class with process, or a function, in a .py file, .zip or .whl."""

import glob
import importlib
import importlib.util
import inspect
import os
import shutil
import sys
import traceback
import zipfile

UNPACKED = "python-code"


class Failed(Exception):
    """User code cannot be loaded; reason is a word for the component's status."""

    def __init__(self, reason, message):
        super().__init__(message)
        self.reason = reason


def last_lines(n=12):
    """The end of the current traceback."""
    return "\n".join(traceback.format_exc().strip().split("\n")[-n:])


def load(file, class_name):
    """Returns (call, takes_context) for the code in file."""
    try:
        if zipfile.is_zipfile(file):
            target = _from_archive(file, class_name)
        else:
            target = _from_file(file, class_name)
        return _callable(target, class_name)
    except Failed:
        raise
    except ModuleNotFoundError as e:
        raise Failed(
            "InvalidCode",
            "%s. Install the package for %s, or ship a .zip with wheels under deps/.\n%s" % (e, sys.executable, last_lines()),
        )
    except BaseException:  # user code runs while it is imported and may raise anything
        raise Failed("InvalidCode", "importing the function failed:\n" + last_lines())


def _from_file(file, class_name):
    folder = os.path.dirname(os.path.abspath(file))
    sys.path.insert(0, folder)
    stem = os.path.splitext(os.path.basename(file))[0]
    module_name, _, attr = class_name.rpartition(".")
    name = module_name or (stem if stem.isidentifier() else "function")
    spec = importlib.util.spec_from_loader(name, importlib.machinery.SourceFileLoader(name, os.path.abspath(file)))
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    if not class_name:
        return _only(module)
    if hasattr(module, attr):
        return getattr(module, attr)
    if not module_name and hasattr(module, "process"):
        return module  # Pulsar's plain form: the class name is the module's
    if not module_name:
        raise Failed("ClassNotFound", "%s has neither %r nor a function process. It has: %s" % (os.path.basename(file), attr, _names(module)))
    raise Failed("ClassNotFound", "%s has no %r. It has: %s" % (os.path.basename(file), attr, _names(module)))


def _from_archive(file, class_name):
    """Unpacks the archive into the working directory, so that data files and native
    code work as installed. Pulsar's layout NAME/src with wheels in NAME/deps is known."""
    if not class_name:
        raise Failed("ClassNotFound", "an archive needs class = \"module.Class\" or \"module.function\"")
    shutil.rmtree(UNPACKED, ignore_errors=True)
    root = os.path.join(os.getcwd(), UNPACKED)
    with zipfile.ZipFile(file) as z:
        z.extractall(os.path.join(root, "code"))
    sources = glob.glob(os.path.join(root, "code", "*", "src"))
    roots = sources or [os.path.join(root, "code")]
    for i, wheel in enumerate(sorted(glob.glob(os.path.join(root, "code", "*", "deps", "*.whl")))):
        place = os.path.join(root, "deps%d" % i)
        with zipfile.ZipFile(wheel) as z:
            z.extractall(place)
        sys.path.insert(0, place)
    for place in roots:
        sys.path.insert(0, place)
    return _import(class_name)


def _import(class_name):
    module_name, _, attr = class_name.rpartition(".")
    wanted = module_name or attr
    try:
        module = importlib.import_module(wanted)
    except ModuleNotFoundError as e:
        if e.name and (wanted == e.name or wanted.startswith(e.name + ".")):
            raise Failed("ClassNotFound", "the archive has no module %r" % wanted)
        raise
    if not module_name:
        if hasattr(module, "process"):
            return module
        raise Failed("ClassNotFound", "module %r has no process; name module.Class or module.function" % attr)
    if not hasattr(module, attr):
        raise Failed("ClassNotFound", "module %r has no %r. It has: %s" % (module_name, attr, _names(module)))
    return getattr(module, attr)


def _own(module):
    """What the module itself defines, by name."""
    found = {}
    for name, value in vars(module).items():
        if name.startswith("_") or getattr(value, "__module__", None) != module.__name__:
            continue
        if inspect.isclass(value) and callable(getattr(value, "process", None)) or inspect.isfunction(value):
            found[name] = value
    return found


def _names(module):
    return ", ".join(sorted(_own(module))) or "nothing that could be a function"


def _only(module):
    own = _own(module)
    classes = [v for v in own.values() if inspect.isclass(v)]
    if len(classes) == 1:
        return classes[0]
    if not classes and "process" in own:
        return own["process"]
    if not classes and len(own) == 1:
        return next(iter(own.values()))
    raise Failed("ClassNotFound", "name the class or function to run with class = …; the file has: %s" % _names(module))


def _callable(target, class_name):
    if inspect.isclass(target):
        process = getattr(target(), "process", None)
    elif inspect.ismodule(target):
        process = target.process
    else:
        process = target
    if not callable(process):
        raise Failed("InvalidCode", "%s has no method process(self, input, context)" % (class_name or target))
    if inspect.iscoroutinefunction(process):
        raise Failed("InvalidCode", "%s is a coroutine function; process must return its result" % (class_name or target))
    return process, _takes_context(process, class_name)


def _takes_context(process, class_name):
    try:
        parameters = inspect.signature(process).parameters.values()
    except (TypeError, ValueError):
        return False
    if any(p.kind is p.VAR_POSITIONAL for p in parameters):
        return True
    positional = [p for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    needed = [p for p in positional if p.default is p.empty]
    if not positional or len(needed) > 2:
        raise Failed("InvalidCode", "%s must take (input) or (input, context)" % (class_name or process))
    return len(positional) > 1
