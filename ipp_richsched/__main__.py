"""``python -m ipp_richsched``: as `ipcontroller`, with this scheduler."""

from .controller.app import main

if __name__ == "__main__":
    main()
