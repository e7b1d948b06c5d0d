# The image that the project's images are built on here: Debian with Python and pip.
FROM scratch
ADD base.tar /
CMD ["python3"]
