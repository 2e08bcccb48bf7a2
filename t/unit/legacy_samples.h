/* Files in old forms, sealed with the phrase "test". The key in them was made for this and guards nothing. */
#ifndef SL_T_LEGACY_SAMPLES_H
#define SL_T_LEGACY_SAMPLES_H

static const char legacy_pkcs12_rc2[] = "MIIDggIBAzCCA0gGCSqGSIb3DQEHAaCCAzkEggM1MIIDMTCCAicGCSqGSIb3DQEHBqCCAhgwggIU\n"
                                        "AgEAMIICDQYJKoZIhvcNAQcBMBwGCiqGSIb3DQEMAQYwDgQIhuZu0caBo4UCAggAgIIB4HUtUlXQ\n"
                                        "n1CcA7XBP1wxXMAv8kHv1ty43/LxQTM5xwHrntIShARebE7MAKb3056HNRFd3lI5hWkR7SEsTt+S\n"
                                        "cwE9PFfF8YHh30gTW+JeBMqPfTrmnEgcuHmLMhUHF1EFHIjIqD2KDIpie0KHxJr+vr4n/y267vV2\n"
                                        "+MTPnOS78jVTvGFL6Dres3O+e8czu5YP/wmziyPlMZZ1IktaDJhm36bKArVZTuZAzYCNqADSs0Fz\n"
                                        "Npm0RlbMs4LvMhcLGTcEl6ZTe4ZZ5b4QCjEVtuIUSgqbawOjoVZVy3Ru7dHD9UjgA2pmyFZFaNZg\n"
                                        "Ra+WdCrTgTd52iit+kTD2dPZJGQ4NbvQeMTNKvq9HWMu4GWuyb9rw+4VPtuL2WJW6J5JydS8TjqO\n"
                                        "iaY/3xYAWoIgfW3Ab2RRUHlyPWVLlkMyIPg7somLZXNqBaqJ8Z2PHgmEjsj/S2to2ynAO10kht0c\n"
                                        "HdtldxoN9D0tdSHCzw77S6DzWQk2D0rGuSMkh7WFGwmtNK8Z35o4PRVKTsoEP9fh6eVsrkmMeX9D\n"
                                        "oqvGpJRIuEcANHXoHdo36gnGpMRWmeEJ45/hNXRUvXhOIY9ciXwrdrHqvi9FkYDwSTUTLGXtF7eM\n"
                                        "4Nio5kgH4LkrlfTdOPdjxD+iOTCCAQIGCSqGSIb3DQEHAaCB9ASB8TCB7jCB6wYLKoZIhvcNAQwK\n"
                                        "AQKggbQwgbEwHAYKKoZIhvcNAQwBAzAOBAj/EJIXp5HregICCAAEgZCAfkD7CUqiOoGqLyYs+XQF\n"
                                        "mXDcV6o+SU4bD7AFHN/Vah6T+xZW1LrEgLEc9sqskJ4HHi7+UrK6oFM2uPwlTmK4ncvCkSUwuipc\n"
                                        "+fKhRP6vOuvlLg0wNSG5i0/V16aRFKxen/VRAxzUFDq7ChHOAvmXPGcZPu9RpLVM4yZkNpLBYq5R\n"
                                        "JH5WpdvUsfm2OPSp6XUxJTAjBgkqhkiG9w0BCRUxFgQUmLtcIgh5KSDTudLl4xEbZCJLeOkwMTAh\n"
                                        "MAkGBSsOAwIaBQAEFIdqkCBGkEUnooxZAWEPP17CexX5BAizF9V0wqjoTQICCAA=\n"
                                        "";

static const char old_pkcs12_3des[] = "MIIDggIBAzCCA0gGCSqGSIb3DQEHAaCCAzkEggM1MIIDMTCCAicGCSqGSIb3DQEHBqCCAhgwggIU\n"
                                      "AgEAMIICDQYJKoZIhvcNAQcBMBwGCiqGSIb3DQEMAQMwDgQIz30RbvSVESoCAggAgIIB4P/da3+/\n"
                                      "BCyJQBFmOveqqzjz2qEOeoGOsfbwCuGJ7Rm6GuZ9s9D7Qr3Q/ACIhN+Eti0Bbzc3bew30mEDUzlv\n"
                                      "6Mb/hwPWsbErL9VKZUY2HqIZPVykHPoJUcBZP7eXltl+QSBsQSi8lMsszGWmCCQSlnhVR7pI9RFI\n"
                                      "AH0+v3vit6B7eaMVJ+GRqsOO0JkkwW84EncWMQRhvAXOhffugKax8bI9yQHTPKgDT/iwGLWP5vjH\n"
                                      "IxdKlAjm8f6PJlh0k6fMQJDx7CrAJipJ9proONLR542rF6Rb84DT1sZyt2YyOUJ0/ojr7VlyuRNm\n"
                                      "RdXKVrks7WsbrtOPLsWaTa04If4Puw8sODWBChveDNQiXn4dOrKq3htCiP42606eCEuZYPNjZjd1\n"
                                      "aXe4wOnpf964qa2GLOLc/ss7eALiv3oX+87mlgePaz+lbxxEtm2QsB3ZC3E5Iwzlcbj/IntI59nL\n"
                                      "FkaaJAWaBGO24273hnUwuOKPJwMKko6KxoxQG7VZH+SmTW6IWPfeJKi/Uxb79qLwbIB7zN9/tbYM\n"
                                      "WvPt6xv83+NnENuEbohlIDFOvbZ1mNWHxhjQPidxsuweNpu5BxF0r+x73+ezOGgbH3RAi+G0ch9T\n"
                                      "S0TmAsvMXh/QxDegOlAtfzbELjCCAQIGCSqGSIb3DQEHAaCB9ASB8TCB7jCB6wYLKoZIhvcNAQwK\n"
                                      "AQKggbQwgbEwHAYKKoZIhvcNAQwBAzAOBAilbWtsXbSgfwICCAAEgZBRT33X0rAPHBLL0JWVDUFZ\n"
                                      "nKQOMdO/rLbQbvpYmqUiV5c23umPjokRXNQSkXKduyTEXdtH5cAS0ZApQI0BCu29Is35PO4iprtu\n"
                                      "1TBh7oP41X5+csjXXK4lXbksSY2Yl71iM5qdqykwz185B0Z/Wd3fhj2ToaM47LEA6oYohW7xbPPi\n"
                                      "BHfF6j6S6BuKI6jxoyExJTAjBgkqhkiG9w0BCRUxFgQUmLtcIgh5KSDTudLl4xEbZCJLeOkwMTAh\n"
                                      "MAkGBSsOAwIaBQAEFKPfbGkOxaQBelWZ+dvVXy80XsOXBAijha4oEilnlAICCAA=\n"
                                      "";

static const char legacy_pkcs8_des[] = "-----BEGIN ENCRYPTED PRIV"
                                       "ATE KEY-----\n"
                                       "MIGwMBsGCSqGSIb3DQEFAzAOBAjoSC3LyCqckgICCAAEgZDLOhD/bmZ/ZHfL6VDs\n"
                                       "q+Nm0dT4lofcTYT3yG+rdVG8+MPelkCL8jRdDEYh/fBi0gOQdXM/F3LU5I2WiCUm\n"
                                       "zKkdk3VsGXkF7Z+hfQvc74G3LFBPEQgxbmj6kR+pSRb/JEI4ZFqfK6sAwQBLA17t\n"
                                       "2nQB0zrFoB1R70h3nZ+gKr+G0s9i5iq/hcV16cYrJZb+jxE=\n"
                                       "-----END ENCRYPTED PRIVATE KEY-----\n";

static const char legacy_traditional_des[] = "-----BEGIN EC PRIV"
                                             "ATE KEY-----\n"
                                             "Proc-Type: 4,ENCRYPTED\n"
                                             "DEK-Info: DES-CBC,BD4FC8929FF655DF\n"
                                             "\n"
                                             "oJj/LuRVXRqW1BzQupV6cMeNa6CEOESZNqRb9dwnt5Fi54ju3uBEgUmmqSTmoF0o\n"
                                             "22fV61oTK1xX5k4GEKhob6jYYcL3KsxlFcG+wFABe+AX6TINhABS+UXtWm3ECCsp\n"
                                             "NYSJWqSBwg84nAW6PyZ+mm897nkGPmpZhDwY2ooDkTA=\n"
                                             "-----END EC PRIVATE KEY-----\n";

#endif
