"""The languages clients speak, a file each; views on one typed core."""
