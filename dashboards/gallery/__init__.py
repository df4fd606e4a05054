"""Every figure, drawn from the quick studies, with what it asks and how it is read: README.md of this folder."""
