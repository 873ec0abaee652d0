from dsri_doctor.cli import main

raise SystemExit(main())
