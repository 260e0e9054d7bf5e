"""Every format that Landweave reads or writes; other rooms write only through this one."""
