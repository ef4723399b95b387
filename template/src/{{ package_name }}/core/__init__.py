"""What every service of ours stands on.

These modules come from the template: improve them there, and `copier update` brings the fix
to every service. Nothing in here imports anything of the service around it.
"""
